import { counter } from "../../../gateway/telemetry/metric-spec.ts";
import type { Database } from "../db/connect.ts";
import { resourceExhausted, unauthenticated } from "../errors.ts";
import { type Claimed, claimDue, releaseClaims } from "../jobs/claim-due.ts";
import type { BackgroundWork } from "../jobs/job-table.ts";
import { createWorkLoop } from "../jobs/work-loop.ts";
import type { Check } from "../process/checks.ts";
import type { Logger } from "../telemetry/log.ts";
import { meter, runtimeMetrics } from "../telemetry/metrics.ts";
import type { Clock } from "../values/clock.ts";
import type { Ids } from "../values/ids.ts";
import type { CallbackSource, RawCallback } from "./callback-source.ts";
import type { CallbackStore } from "./callback-store.ts";
import { createRejectedCallbacks, type RejectedCallback } from "./rejected.ts";
import type { CallbackInboxTables } from "./tables.ts";

/** Largest accepted body. */
export const MAX_CALLBACK_BYTES = 1024 * 1024;
const MAX_EVENT_ID = 255;
/** Lease of a worker. After a crash, another worker can claim the callback once it expires. */
const WORK_LEASE_MS = 30_000;
/** Caller credentials, which are not part of the source's signature. Never stored. */
const notStored = new Set(["authorization", "cookie", "proxy-authorization", "x-api-key"]);

export interface CallbackInboxOptions<DB extends CallbackInboxTables, Content> {
  /** For logs and the check's name: `payment`, `carrier`. */
  readonly name: string;
  readonly db: Database<DB>;
  readonly store: CallbackStore<Content>;
  readonly ids: Ids;
  readonly clock: Clock;
  readonly log: Logger;
  /** Poll interval for due callbacks. */
  readonly pollMs: number;
}

/**
 * Receives callbacks of external systems: verifies them, stores each event once, and applies it, immediately or later:
 * its background work applies stored callbacks that are due.
 */
export interface CallbackInbox<Content> extends BackgroundWork {
  /**
   * Verifies the raw bytes, then stores the callback and applies it in one transaction. Resolves once it is stored,
   * also for a duplicate. A callback that cannot be applied yet is stored for the worker.
   *
   * @throws ConnectError UNAUTHENTICATED if verification fails, RESOURCE_EXHAUSTED beyond {@link MAX_CALLBACK_BYTES}.
   * Nothing is stored then; see `rejected`.
   */
  receive(source: CallbackSource<Content>, callback: RawCallback): Promise<void>;
  nudge(): void;
  /** The last rejected callbacks of this process, newest first. */
  rejected(): readonly RejectedCallback[];
  /** Reports the last rejected callback. Never fails, because anyone can send one. */
  readonly check: Check;
}

export function createCallbackInbox<DB extends CallbackInboxTables, Content>(
  options: CallbackInboxOptions<DB, Content>,
): CallbackInbox<Content> {
  const { name, store, ids, clock, log, pollMs } = options;
  const inbox = options.db as unknown as Database<CallbackInboxTables>;
  const rejected = createRejectedCallbacks();
  const received = counter(meter(), runtimeMetrics.callbacks);
  const count = (source: CallbackSource<Content>, outcome: "applied" | "postponed" | "rejected") =>
    received.add(1, { inbox: name, source: source.name, outcome });

  const reject = (source: CallbackSource<Content>, { header, body }: RawCallback, reason: string) => {
    rejected.add({ at: clock.now(), source: source.name, reason, header, bytes: body.length });
    count(source, "rejected");
    log.debug({ source: source.name, bytes: body.length, reason }, "a callback was rejected");
  };

  const verify = async (source: CallbackSource<Content>, callback: RawCallback) => {
    if (callback.body.length > MAX_CALLBACK_BYTES) {
      reject(source, callback, "larger than the limit");
      throw resourceExhausted("CALLBACK_TOO_LARGE", `a callback must not exceed ${MAX_CALLBACK_BYTES} bytes`);
    }
    const event = await source.verify(callback);
    if (event === undefined || event.eventId === "" || event.eventId.length > MAX_EVENT_ID) {
      reject(source, callback, event === undefined ? "verification failed" : "no usable event id");
      throw unauthenticated();
    }
    return event;
  };

  const work = async (claim: Claimed) => {
    try {
      await store.process(claim);
    } catch (error) {
      await store.postpone(claim, error instanceof Error ? error.message : String(error));
      throw error;
    }
  };

  const loop = createWorkLoop<Claimed>({
    name: `${name} callbacks`,
    log,
    pollMs,
    concurrency: 8,
    claim: (limit) => claimDue(inbox, "inbound_callbacks", { limit, leaseMs: WORK_LEASE_MS }),
    release: (claims) => releaseClaims(inbox, "inbound_callbacks", claims),
    work,
  });

  return {
    async receive(source, callback) {
      const event = await verify(source, callback);
      const headers = Object.fromEntries([...callback.header].filter(([header]) => !notStored.has(header)));
      const { eventId, eventType } = event;
      const stored = { id: ids.next(), source: source.name, eventId, eventType, body: callback.body, headers };
      try {
        await store.receive(stored, event);
        count(source, "applied");
      } catch (error) {
        log.error({ err: error, source: source.name, event: eventId }, "a callback is left to the worker");
        await store.receive(stored, undefined);
        count(source, "postponed");
      }
    },
    nudge: loop.nudge,
    rejected: rejected.list,
    check: {
      policy: "degraded",
      run: async () => {
        const [last] = rejected.list();
        return last && { status: "pass", error: describe(rejected.total, last) };
      },
    },
    everyMs: loop.everyMs,
    start: loop.start,
    runDue: loop.runDue,
    drain: loop.drain,
    async [Symbol.asyncDispose]() {
      await loop[Symbol.asyncDispose]();
    },
  };
}

function describe(total: number, { at, source, reason, bytes, headerNames }: RejectedCallback): string {
  const last = `${source}, ${reason}, ${bytes} bytes, headers: ${headerNames.join(" ")}`;
  return `${total} rejected since the start, the last at ${at.toISOString()} (${last})`;
}
