/** With which a connection to a database server is opened. */
export interface DatabaseCredentials {
  readonly user: string;
  readonly password: string;
}
