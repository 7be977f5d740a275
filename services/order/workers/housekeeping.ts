import { forgetIdempotencyKeys } from "../../runtime/idempotency/idempotent.ts";
import { periodically } from "../../runtime/jobs/periodic-job.ts";
import type { OrderParts } from "../parts.ts";
import { pruneFeed } from "../store/feed.ts";

const EVERY_MS = 10 * 60_000;
const BATCH = 1000;

/** Forgets the keys of requests that nobody repeats any more, and changes that no watcher comes back for. */
export function startHousekeeping({ db, clock, log, config }: OrderParts): AsyncDisposable {
  return periodically({
    name: "housekeeping",
    log,
    everyMs: EVERY_MS,
    async work() {
      const moreKeys = await forgetIdempotencyKeys(db, clock);
      const before = clock.now().getTime() - config.feedRetentionMs;
      const entries = await db.transaction((trx) => pruneFeed(trx, db.dialect, before, BATCH));
      return moreKeys || entries > 0;
    },
  });
}
