import type { ConnectError } from "@connectrpc/connect";
import { aborted, deadlineExceeded, outcomeUnknown, unavailable } from "../errors.ts";
import { databaseErrorKind } from "./errors.ts";

/**
 * Converts a database failure, after all attempts at the transaction, to an RPC error; undefined for other errors and
 * for bugs: duplicate keys must be handled by the store.
 */
export function databaseFailure(error: unknown): ConnectError | undefined {
  const kind = databaseErrorKind(error);
  switch (kind) {
    case "conflict":
      return aborted("TRANSACTION_CONFLICT", "conflicting transactions did not end in time; repeat the request", {
        retryAfterMs: 1000,
        cause: error,
      });
    case "lost":
      return unavailable("DATABASE_UNAVAILABLE", "the database is not responding", { cause: error });
    case "timeout":
      return deadlineExceeded("QUERY_TOO_EXPENSIVE", "the query took too long; narrow its filter", { cause: error });
    case "commit-unknown":
      return outcomeUnknown(error);
    case "unique":
    case undefined:
      return undefined;
    default:
      return kind satisfies never;
  }
}
