import { forgetIdempotencyKeys } from "../../runtime/idempotency/idempotent.ts";
import { periodically } from "../../runtime/jobs/periodic-job.ts";
import type { LogisticsContext } from "../context.ts";

const EVERY_MS = 10 * 60_000;

/** Forgets the idempotency keys of requests that are too old to be repeated. */
export function startHousekeeping({ db, clock, log }: LogisticsContext): AsyncDisposable {
  return periodically({ name: "housekeeping", log, everyMs: EVERY_MS, work: () => forgetIdempotencyKeys(db, clock) });
}
