import { forgetIdempotencyKeys } from "../../runtime/db/idempotency.ts";
import { periodically } from "../../runtime/periodically.ts";
import type { LogisticsContext } from "../context.ts";
import { pruneCallbacks } from "../store/carrier-callbacks.ts";

const EVERY_MS = 10 * 60_000;
const BATCH = 1000;
/** Carriers repeat callbacks for days. */
const CALLBACKS_KEPT_MS = 30 * 24 * 3_600_000;

/** Forgets the keys of requests that nobody repeats any more, and callbacks that are long done with. */
export function startHousekeeping({ db, clock, log }: LogisticsContext): AsyncDisposable {
  return periodically({
    name: "housekeeping",
    log,
    everyMs: EVERY_MS,
    async work() {
      const moreKeys = await forgetIdempotencyKeys(db, clock);
      const receivedBefore = clock.now().getTime() - CALLBACKS_KEPT_MS;
      const callbacks = await pruneCallbacks(db, { receivedBefore, limit: BATCH });
      return moreKeys || callbacks > 0;
    },
  });
}
