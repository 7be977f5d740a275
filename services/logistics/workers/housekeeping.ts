import { forgetIdempotencyKeys } from "../../runtime/db/idempotency.ts";
import { periodically } from "../../runtime/periodically.ts";
import type { LogisticsContext } from "../context.ts";

const EVERY_MS = 10 * 60_000;

/** Forgets the idempotency keys of requests that are too old to be repeated. */
export function startHousekeeping({ db, clock, log }: LogisticsContext): AsyncDisposable {
  return periodically({ name: "housekeeping", log, everyMs: EVERY_MS, work: () => forgetIdempotencyKeys(db, clock) });
}
