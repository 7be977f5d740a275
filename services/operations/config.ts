/** What the operations service needs to know. */
export interface OperationsConfig {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** A key with the scope `admin` that always works; without it keys must exist already. */
  readonly adminKey?: string;
  /** The tenant of the admin key. */
  readonly adminTenant: string;
}
