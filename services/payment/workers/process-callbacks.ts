import { fullJitterMs } from "../../runtime/backoff.ts";
import { type Claimed, claimDue } from "../../runtime/db/claim-due.ts";
import { createWorkLoop, type WorkLoop } from "../../runtime/work-loop.ts";
import type { PaymentContext } from "../context.ts";
import { processCallback } from "../process-callback.ts";
import { ageOf, finishCallback, lockCallback, postponeCallback } from "../store/callbacks.ts";

/** How long a worker has for a callback before another takes it. */
const LEASE_MS = 30_000;

/** Processes stored callbacks that were not processed when they came: those that came too early, or met a failure. */
export function createCallbackWorker(payments: PaymentContext, options: { pollMs: number }): WorkLoop {
  const { db, log } = payments;
  return createWorkLoop<Claimed>({
    name: "payment callbacks",
    log,
    pollMs: options.pollMs,
    concurrency: 8,
    claim: (limit) => claimDue(db, "payment_callbacks", { limit, leaseMs: LEASE_MS }),
    async work(claim) {
      try {
        const problem = await processClaimed(payments, claim);
        if (problem !== undefined) {
          await postpone(payments, claim, problem);
        }
      } catch (error) {
        await postpone(payments, claim, error instanceof Error ? error.message : String(error));
        throw error;
      }
    },
  });
}

/** Resolves with why it is too early for the callback, or with undefined when it is finished. */
function processClaimed(payments: PaymentContext, claim: Claimed): Promise<string | undefined> {
  const { db } = payments;
  return db.transaction(async (trx) => {
    const callback = await lockCallback(trx, db.dialect, claim.id);
    if (callback?.state !== "RECEIVED") {
      return undefined;
    }
    const processed = await processCallback(payments, trx, callback);
    return processed === "finished" ? undefined : processed.early;
  });
}

async function postpone({ db, random, timing }: PaymentContext, claim: Claimed, problem: string): Promise<void> {
  const age = await ageOf(db.kysely, db.dialect, claim);
  if (age < timing.callbackPatienceMs) {
    const pauseMs = fullJitterMs(claim.attempt, timing.retry, random);
    await postponeCallback(db.kysely, db.dialect, claim.id, { pauseMs, problem });
    return;
  }
  await db.transaction(async (trx) => {
    const callback = await lockCallback(trx, db.dialect, claim.id);
    if (callback?.state === "RECEIVED") {
      const { tenant, payment } = callback;
      await finishCallback(trx, db.dialect, claim.id, { state: "FAILED", tenant, payment, failureMessage: problem });
    }
  });
}
