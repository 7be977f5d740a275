import { forgetIdempotencyKeys } from "../../runtime/idempotency/idempotent.ts";
import { periodically } from "../../runtime/jobs/periodic-job.ts";
import type { InventoryContext } from "../context.ts";

const EVERY_MS = 10 * 60_000;

/** Forgets the keys of requests that nobody repeats any more. */
export function startHousekeeping({ db, clock, log }: InventoryContext): AsyncDisposable {
  return periodically({ name: "housekeeping", log, everyMs: EVERY_MS, work: () => forgetIdempotencyKeys(db, clock) });
}
