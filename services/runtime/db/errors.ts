/** Database errors, in the same terms for SQLite, MariaDB and MySQL. */

/**
 * - `unique`: a row with this key exists. The statement had no effect and the transaction continues.
 * - `conflict`: another transaction interfered (deadlock, lock wait, busy); retry the transaction.
 * - `lost`: the database is unreachable, or the connection broke before COMMIT was sent. Nothing was changed.
 * - `timeout`: the statement exceeded its time limit. It had no effect; retrying does not help.
 * - `commit-unknown`: the connection broke between COMMIT and its response; see {@link CommitUnknownError}.
 */
export type DatabaseErrorKind = "unique" | "conflict" | "lost" | "commit-unknown" | "timeout";

/**
 * The response to COMMIT was lost, so the transaction may or may not have committed. Check its idempotency key; do not
 * simply retry.
 */
export class CommitUnknownError extends Error {
  override readonly name = "CommitUnknownError";

  constructor(cause: unknown) {
    super("the connection was lost before the database answered COMMIT", {
      cause,
    });
  }
}

/**
 * A duplicate key detected before the database reports it. Its kind is `unique`, like that of the database's own error.
 */
export class UniqueViolationError extends Error {
  override readonly name = "UniqueViolationError";

  constructor(table: string, columns: readonly string[]) {
    super(`A row with the same ${columns.join(", ")} already exists in ${table}.`);
  }
}

/** https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_INTERRUPT = 9;
const SQLITE_CONSTRAINT_PRIMARYKEY = 1555;
const SQLITE_CONSTRAINT_UNIQUE = 2067;

/** https://mariadb.com/kb/en/mariadb-error-code-reference/ */
const MYSQL_UNIQUE = new Set([1062, 1586]);
const MYSQL_CONFLICT = new Set([1020, 1205, 1213]);
/** `max_statement_time` of MariaDB, `max_execution_time` of MySQL. */
const MYSQL_TIMEOUT = new Set([1969, 3024]);
/** Too many connections, server shutdown, connection killed, server gone, connection lost during the query. */
const MYSQL_LOST = new Set([1040, 1053, 1927, 2006, 2013]);
const SOCKET_LOST = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "PROTOCOL_CONNECTION_LOST",
  "POOL_CLOSED",
]);

/** Classifies a database error; undefined for errors that a caller cannot act on. */
export function databaseErrorKind(error: unknown): DatabaseErrorKind | undefined {
  if (error instanceof CommitUnknownError) {
    return "commit-unknown";
  }
  if (error instanceof UniqueViolationError) {
    return "unique";
  }
  if (!Error.isError(error)) {
    return undefined;
  }
  const { code, errno, errcode, fatal } = error as Partial<Record<"code" | "errno" | "errcode" | "fatal", unknown>>;
  if (code === "ERR_SQLITE_ERROR" && typeof errcode === "number") {
    return sqliteKind(errcode);
  }
  if (typeof errno === "number" && MYSQL_UNIQUE.has(errno)) {
    return "unique";
  }
  if (typeof errno === "number" && MYSQL_CONFLICT.has(errno)) {
    return "conflict";
  }
  if (typeof errno === "number" && MYSQL_TIMEOUT.has(errno)) {
    return "timeout";
  }
  if (typeof errno === "number" && MYSQL_LOST.has(errno)) {
    return "lost";
  }
  return (typeof code === "string" && SOCKET_LOST.has(code)) || fatal === true ? "lost" : undefined;
}

/** The error of a SELECT on SQLite that exceeded its time limit. */
export function statementTimeout(): Error {
  return Object.assign(new Error("the statement exceeded its time limit"), {
    code: "ERR_SQLITE_ERROR",
    errcode: SQLITE_INTERRUPT,
  });
}

function sqliteKind(errcode: number): DatabaseErrorKind | undefined {
  if (errcode === SQLITE_INTERRUPT) {
    return "timeout";
  }
  if (errcode === SQLITE_CONSTRAINT_PRIMARYKEY || errcode === SQLITE_CONSTRAINT_UNIQUE) {
    return "unique";
  }
  const primary = errcode & 0xff;
  return primary === SQLITE_BUSY || primary === SQLITE_LOCKED ? "conflict" : undefined;
}
