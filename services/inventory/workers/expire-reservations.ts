import { createWorkLoop, type WorkLoop } from "../../runtime/jobs/work-loop.ts";
import { expireIfOverdue } from "../close-reservation.ts";
import type { InventoryContext } from "../context.ts";
import { findOverdue, type ReservationKey } from "../store/reservations.ts";

/**
 * Expires every HELD reservation that is overdue by the database's clock, in batches. Safe to run in several
 * processes.
 */
export function createExpirySweep(ctx: InventoryContext, options: { pollMs: number }): WorkLoop {
  const { db, log } = ctx;
  return createWorkLoop<ReservationKey>({
    name: "expire reservations",
    log,
    pollMs: options.pollMs,
    concurrency: 16,
    claim: (limit) => findOverdue(db.kysely, db.dialect, limit),
    async work(key) {
      await expireIfOverdue(ctx, key);
    },
  });
}
