import { LRUCache } from "lru-cache";
import type { AuditEvent } from "../../../gen/docket/audit/v1/audit_pb.js";
import { createMemoryRateLimiter, type RateLimiter } from "../limits/rate-limiter.ts";
import type { Logger } from "../telemetry/log.ts";

/** A rejected attempt. */
export interface Denial {
  readonly tenant: string;
  readonly event: AuditEvent;
}

/** Sends rejected attempts to the audit trail at a bounded rate. */
export interface DenialLog extends AsyncDisposable {
  /** Fire and forget: never throws, and never delays the rejected caller. */
  report(denial: Denial): void;
}

export interface DenialLogOptions {
  readonly send: (denial: Denial) => Promise<unknown>;
  readonly log: Logger;
  /** Limit per caller. Default 60 a minute. */
  readonly perCaller?: RateLimiter;
  /** Limit over all callers. Default 1,200 a minute. */
  readonly inAll?: RateLimiter;
}

const WINDOW_SECONDS = 60;
/** Most attempts being sent concurrently. */
const MAX_UNDERWAY = 100;
/** Most callers whose dropped attempts are counted. */
const MAX_CALLERS = 10_000;

/**
 * Forwards rejected attempts within the limits per caller and overall. Excess attempts are dropped and counted; the
 * caller's next forwarded attempt carries the count in its details, as `dropped`.
 */
export function createDenialLog(options: DenialLogOptions): DenialLog {
  const { send, log } = options;
  const { perCaller = createMemoryRateLimiter({ limit: 60, windowSeconds: WINDOW_SECONDS }) } = options;
  const { inAll = createMemoryRateLimiter({ limit: 1_200, windowSeconds: WINDOW_SECONDS }) } = options;
  const dropped = new LRUCache<string, number>({ max: MAX_CALLERS });
  const underway = new Set<Promise<void>>();

  const drop = (caller: string, count: number) => dropped.set(caller, (dropped.get(caller) ?? 0) + count);

  const record = async ({ tenant, event }: Denial, caller: string) => {
    if (!(await perCaller.use(caller)).allowed || !(await inAll.use("")).allowed) {
      drop(caller, 1);
      return;
    }
    const before = dropped.get(caller) ?? 0;
    dropped.delete(caller);
    const details = before === 0 ? event.details : { ...event.details, dropped: String(before) };
    try {
      await send({ tenant, event: { ...event, details } });
    } catch (error) {
      drop(caller, before + 1);
      log.warn({ err: error, method: event.method }, "a refused attempt could not be recorded on the audit trail");
    }
  };

  return {
    report(denial) {
      const caller = `${denial.tenant} ${denial.event.actor}`;
      if (underway.size >= MAX_UNDERWAY) {
        drop(caller, 1);
        return;
      }
      const recording = record(denial, caller).finally(() => underway.delete(recording));
      underway.add(recording);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(underway);
    },
  };
}
