import type { ConnectError } from "@connectrpc/connect";
import { aborted, deadlineExceeded, outcomeUnknown, unavailable } from "../errors.ts";
import { databaseErrorKind } from "./errors.ts";

/**
 * How a failure of the database reads to the caller of an RPC, when all attempts at the transaction were in vain;
 * undefined for errors that are none, or that are bugs: a key that exists is for the store to expect.
 */
export function databaseFailure(error: unknown): ConnectError | undefined {
  const kind = databaseErrorKind(error);
  switch (kind) {
    case "conflict":
      return aborted("TRANSACTION_CONFLICT", "other requests were in the way for too long; repeat the request", {
        retryAfterMs: 1000,
        cause: error,
      });
    case "lost":
      return unavailable("DATABASE_UNAVAILABLE", "the database does not answer", { cause: error });
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
