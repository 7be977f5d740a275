import { readFileSync } from "node:fs";
import { type Connection, type ConnectionOptions, createConnection, type RowDataPacket } from "mysql2/promise";

/** "Unknown database": https://mariadb.com/kb/en/mariadb-error-code-reference/ */
const UNKNOWN_SCHEMA = 1049;

/** A server and a schema on it. */
export type MysqlServer = ConnectionOptions & { database: string };

/** Address of a replica, for the same user, password and TLS as the primary's. */
export interface ReplicaAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads `?replica=host:port` of a URL. Throws a TypeError if it is malformed. */
export function replicaOf(text: string): ReplicaAddress | undefined {
  const given = new URL(text).searchParams.get("replica");
  if (given === null) {
    return undefined;
  }
  const [, host = "", port = ""] = /^(.+):(\d{1,5})$/.exec(given) ?? [];
  if (host === "") {
    throw new TypeError("the replica of a MySQL URL is ?replica=host:port");
  }
  return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
}

/** Parses the server and schema from a URL. Throws a TypeError if it is malformed. */
export function parseMysqlUrl(text: string): MysqlServer {
  const url = new URL(text);
  const database = decodeURIComponent(url.pathname.slice(1));
  if (database === "" || database.includes("/")) {
    throw new TypeError("a MySQL URL is mysql://user:password@host:port/schema");
  }
  const options: MysqlServer = {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? 3306 : Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database,
  };
  for (const [key, value] of url.searchParams) {
    if (key === "ssl" && (value === "true" || value === "false")) {
      Object.assign(options, value === "true" && !options.ssl ? { ssl: {} } : {});
    } else if (key === "ssl-ca") {
      options.ssl = { ca: readFileSync(value) };
    } else if (key === "socket") {
      options.socketPath = value;
    } else if (key !== "replica") {
      throw new TypeError(
        `${key}=${value} is not an option of a MySQL URL; the options are ssl=true, ssl-ca, socket and replica`,
      );
    }
  }
  return options;
}

/**
 * Collations that compare by code point and respect trailing spaces, as SQLite does: MariaDB's, MySQL's, then a
 * fallback.
 */
const COLLATIONS = ["utf8mb4_nopad_bin", "utf8mb4_0900_bin", "utf8mb4_bin"];

/** Creates the schema if missing, and selects the most exact collation that the server supports. */
export async function prepareSchema(server: MysqlServer): Promise<{ collation: string }> {
  await using connection = await connectToSchema(server);
  const [rows] = await connection.query<(RowDataPacket & { name: string })[]>(
    "select collation_name as name from information_schema.collations where collation_name in (?)",
    [COLLATIONS],
  );
  const collation = COLLATIONS.find((name) => rows.some((row) => row.name === name));
  if (collation === undefined) {
    throw new Error(`the server has none of the collations ${COLLATIONS.join(", ")}`);
  }
  return { collation };
}

async function connectToSchema({ database, ...server }: MysqlServer): Promise<Connection> {
  try {
    return await createConnection({ ...server, database });
  } catch (error) {
    if (!(Error.isError(error) && "errno" in error && error.errno === UNKNOWN_SCHEMA)) {
      throw error;
    }
    const connection = await createConnection(server);
    const name = `\`${database.replaceAll("`", "``")}\``;
    await connection.query(`create database if not exists ${name} character set utf8mb4 collate utf8mb4_bin`);
    return connection;
  }
}
