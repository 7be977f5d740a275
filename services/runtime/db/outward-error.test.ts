import { Code } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { reasonOf } from "../errors.ts";
import { CommitUnknownError } from "./errors.ts";
import { databaseFailure } from "./outward-error.ts";

const mysqlError = (errno: number) => Object.assign(new Error("server"), { errno });
const socketError = (code: string) => Object.assign(new Error("socket"), { code, errno: -111 });
const sqliteError = (errcode: number) => Object.assign(new Error("file"), { code: "ERR_SQLITE_ERROR", errcode });

test.each([
  ["a deadlock", mysqlError(1213), Code.Aborted, "TRANSACTION_CONFLICT"],
  ["a lock that was not given", mysqlError(1205), Code.Aborted, "TRANSACTION_CONFLICT"],
  ["a busy file", sqliteError(5), Code.Aborted, "TRANSACTION_CONFLICT"],
  ["a refused connection", socketError("ECONNREFUSED"), Code.Unavailable, "DATABASE_UNAVAILABLE"],
  ["a server that shuts down", mysqlError(1053), Code.Unavailable, "DATABASE_UNAVAILABLE"],
  ["a query beyond MariaDB's time limit", mysqlError(1969), Code.DeadlineExceeded, "QUERY_TOO_EXPENSIVE"],
  ["a query beyond MySQL's time limit", mysqlError(3024), Code.DeadlineExceeded, "QUERY_TOO_EXPENSIVE"],
  ["a lost answer to COMMIT", new CommitUnknownError(socketError("ECONNRESET")), Code.Unknown, "OUTCOME_UNKNOWN"],
])("%s is converted to an error for the caller", (_, error, code, reason) => {
  const failure = databaseFailure(error);

  expect(failure?.code).toBe(code);
  expect(reasonOf(failure)).toBe(reason);
  expect(failure?.cause).toBe(error);
});

test.each([
  ["a key that exists", mysqlError(1062)],
  ["a key that exists in SQLite", sqliteError(2067)],
  ["a statement that is wrong", mysqlError(1064)],
  ["a full disk", sqliteError(13)],
  ["any other error", new Error("x")],
  ["what is no error", "x"],
])("%s is not exposed", (_, error) => {
  expect(databaseFailure(error)).toBeUndefined();
});
