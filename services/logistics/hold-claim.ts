import type { Claimed } from "../runtime/jobs/claim-due.ts";
import type { LogisticsContext } from "./context.ts";
import { renewClaim } from "./store/claims.ts";

/**
 * Runs a carrier call and renews its claim until the call ends or the signal aborts. The lease is therefore shorter than
 * a call may take, and the claim of a crashed process expires soon: cancellations wait for it. A renewal that fails is
 * repeated. No renewal is in flight after the promise settles.
 */
export async function holdClaim<T>(
  { db, timing, log }: Pick<LogisticsContext, "db" | "timing" | "log">,
  claim: Claimed,
  signal: AbortSignal,
  call: () => Promise<T>,
): Promise<T> {
  let renewal = Promise.resolve();
  const timer = setInterval(() => {
    if (signal.aborted) {
      clearInterval(timer);
      return;
    }
    renewal = renewal
      .then(() => renewClaim(db, claim, timing.current.claimLeaseMs))
      .catch((error: unknown) =>
        log.warn({ err: error, shipment: claim.id }, "could not renew the claim of a shipment"),
      );
  }, timing.current.claimLeaseMs / 3);
  try {
    return await call();
  } finally {
    clearInterval(timer);
    await renewal;
  }
}
