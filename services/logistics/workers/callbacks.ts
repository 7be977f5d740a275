import type { Claimed } from "../../runtime/db/claim-due.ts";
import { createWorkLoop, type WorkLoop } from "../../runtime/work-loop.ts";
import type { LogisticsContext } from "../context.ts";
import { processCallback } from "../process-callback.ts";
import { claimWork } from "../store/claims.ts";

/** How long a callback is one process's. Processing it is a transaction or two. */
export const CALLBACK_LEASE_MS = 10_000;

/** Processes callbacks that were not processed when they came: their shipment was not known, or the process died. */
export function createCallbackWorker(logistics: LogisticsContext, options: { pollMs: number }): WorkLoop {
  const { db, log } = logistics;
  return createWorkLoop<Claimed>({
    name: "carrier callbacks",
    log,
    pollMs: options.pollMs,
    concurrency: 4,
    claim: (limit) => claimWork(db, "carrier_callbacks", { limit, leaseMs: CALLBACK_LEASE_MS }),
    work: (claim) => processCallback(logistics, claim),
  });
}
