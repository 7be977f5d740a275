import { periodically } from "../../runtime/jobs/periodic-job.ts";
import type { PaymentContext } from "../context.ts";
import { pruneOperationKeys } from "../store/operations.ts";

const EVERY_MS = 10 * 60_000;
const BATCH = 1000;

/** Forgets the idempotency keys of requests that are too old to be repeated. */
export function startHousekeeping({ db, log }: PaymentContext): AsyncDisposable {
  return periodically({
    name: "housekeeping",
    log,
    everyMs: EVERY_MS,
    work: async () => (await pruneOperationKeys(db, BATCH)) === BATCH,
  });
}
