import type { QueryResult } from "kysely";
import type { Clock } from "../../values/clock.ts";
import { databaseErrorKind } from "../errors.ts";
import type { Read } from "../reading.ts";
import { mergeGtidPositions } from "./gtid-position.ts";

/** The replica could not be asked. */
export class ReplicaAwayError extends Error {
  override readonly name = "ReplicaAwayError";

  constructor(cause: unknown) {
    super("the replica cannot be read", { cause });
  }
}

/**
 * Reads on a replica once it has applied a position; resolves with undefined if it has not after `waitMs`. Rejects with
 * a ReplicaAwayError for what fails before the query begins.
 */
export type ReadAfter = <R>(
  query: Parameters<Read>[0],
  signal: AbortSignal,
  after: { readonly position: string; readonly waitMs: number },
) => Promise<QueryResult<R> | undefined>;

export interface ReplicaReadOptions {
  readonly primary: Read;
  readonly replica: ReadAfter;
  /** Position that a read must include: everything acknowledged before it. */
  readonly position: () => string;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** How long a read waits for the replica. Default 50 ms. */
  readonly waitMs?: number;
}

/** How long reads go to the primary without asking, after the replica was behind, and after it was lost. */
const behindMs = 250;
const lostMs = 1_000;

/**
 * Reads on the replica, and on the primary while the replica is behind or away. A read includes everything that
 * `position` does. Callers see no error of the replica's connection.
 */
export function createReplicaRead(options: ReplicaReadOptions): Read {
  const { primary, replica, position, clock, waitMs = 50 } = options;
  let avoidedUntilMs = Number.NEGATIVE_INFINITY;
  const avoid = (ms: number) => {
    avoidedUntilMs = clock.monotonicMs() + ms;
  };
  return async (query, signal, after = "") => {
    if (clock.monotonicMs() >= avoidedUntilMs) {
      try {
        const result = await replica<never>(query, signal, {
          position: mergeGtidPositions(position(), after),
          waitMs,
        });
        if (result !== undefined) {
          return result;
        }
        // A caller's position may be made up, and says nothing about the replica.
        if (after === "") {
          avoid(behindMs);
        }
      } catch (error) {
        const isAway = error instanceof ReplicaAwayError || databaseErrorKind(error) === "lost";
        if (signal.aborted || !isAway) {
          throw error;
        }
        avoid(lostMs);
      }
    }
    return primary(query, signal);
  };
}
