import type { Claimed } from "../../runtime/jobs/claim-due.ts";
import { createWorkLoop, type WorkLoop } from "../../runtime/jobs/work-loop.ts";
import { runCarrierTask } from "../carrier-tasks.ts";
import type { LogisticsContext } from "../context.ts";
import { claimShipments, releaseShipments } from "../store/claims.ts";

/** Runs due carrier calls: books, cancels and tracks shipments. Safe to run in several processes. */
export function createShipmentWorker(ctx: LogisticsContext, options: { pollMs: number }): WorkLoop {
  const { db, log, timing } = ctx;
  return createWorkLoop<Claimed>({
    name: "shipments",
    log,
    pollMs: options.pollMs,
    concurrency: 8,
    claim: (limit) => claimShipments(db, { limit, leaseMs: timing.current.claimLeaseMs }),
    release: (claims) => releaseShipments(db, claims),
    work: (claim, signal) => runCarrierTask(ctx, claim, signal),
  });
}
