import type { Transaction } from "kysely";
import { type AnyTransaction, withTables } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import { resourceExhausted, unauthenticated } from "../errors.ts";
import { type Claimed, claimDue } from "../jobs/claim-due.ts";
import { createWorkLoop } from "../jobs/work-loop.ts";
import type { Check } from "../process/checks.ts";
import type { Logger } from "../telemetry/log.ts";
import { type Backoff, fullJitterMs } from "../values/backoff.ts";
import type { Clock } from "../values/clock.ts";
import type { Ids } from "../values/ids.ts";
import type { CallbackSource, ParsedCallback, RawCallback } from "./callback-source.ts";
import { createRejectedCallbacks, type RejectedCallback } from "./rejected.ts";
import {
  type CallbackOutcome,
  countRepetition,
  insertCallback,
  lockCallback,
  postponeCallback,
  type StoredCallback,
  settleCallback,
  wakeCallbacks,
} from "./rows.ts";
import type { CallbackInboxTables } from "./tables.ts";

/** Largest accepted body. */
export const MAX_CALLBACK_BYTES = 1024 * 1024;
const MAX_EVENT_ID = 255;
/** Lease of the receiving call on a stored callback. */
const RECEIVE_LEASE_MS = 10_000;
/** Lease of a worker. After a crash, another worker can claim the callback once it expires. */
const WORK_LEASE_MS = 30_000;
/** Caller credentials, which are not part of the source's signature. Never stored. */
const notStored = new Set(["authorization", "cookie", "proxy-authorization", "x-api-key"]);

/** A callback to apply. */
export interface CallbackToApply<Content> {
  readonly id: string;
  readonly source: string;
  readonly content: Content;
}

/** Outcome of applying a callback. */
export type Applied =
  /** The effect is written; `changed` is false for a callback without new information. */
  | { readonly kind: "applied"; readonly changed: boolean; readonly tenant?: string; readonly subject?: string }
  /** Permanent failure. Nothing was written. */
  | { readonly kind: "failed"; readonly problem: string; readonly tenant?: string; readonly subject?: string }
  /** Temporary failure. Nothing was written. `reference` is the source's id of the missing resource, see `wake`. */
  | { readonly kind: "early"; readonly problem: string; readonly reference?: string };

export interface CallbackInboxOptions<DB extends CallbackInboxTables, Content> {
  /** For logs and the check's name: `payment`, `carrier`. */
  readonly name: string;
  readonly db: Database<DB>;
  readonly ids: Ids;
  readonly clock: Clock;
  readonly log: Logger;
  /** Random number in [0, 1) for jitter. */
  readonly random: () => number;
  /** Finds the source of a stored callback. Callbacks of a source that is not configured wait for it. */
  readonly source: (name: string) => CallbackSource<Content> | undefined;
  /**
   * Applies a callback in the caller's transaction, which has stored or locked it. Must be idempotent. An exception
   * rolls the transaction back, and the callback is retried.
   */
  readonly apply: (trx: Transaction<DB>, callback: CallbackToApply<Content>) => Promise<Applied>;
  /** Delays between attempts. */
  readonly retry: Backoff;
  /** How long a callback may wait for its resource before it is FAILED. */
  readonly patienceMs: number;
  /** Poll interval for due callbacks. */
  readonly pollMs: number;
}

/**
 * Receives callbacks of external systems: verifies them, stores each event once, and applies it, immediately or later.
 */
export interface CallbackInbox<DB extends CallbackInboxTables, Content> extends AsyncDisposable {
  /**
   * Verifies the raw bytes, then stores the callback and applies it in one transaction. Resolves once it is stored,
   * also for a duplicate. A callback that cannot be applied yet is stored for the worker.
   *
   * @throws ConnectError UNAUTHENTICATED if verification fails, RESOURCE_EXHAUSTED beyond {@link MAX_CALLBACK_BYTES}.
   * Nothing is stored then; see `rejected`.
   */
  receive(source: CallbackSource<Content>, callback: RawCallback): Promise<void>;
  /** Reapplies a stored callback in the caller's transaction. `early` leaves it unchanged. */
  replay(trx: Transaction<DB>, callback: StoredCallback): Promise<Applied>;
  /** Makes callbacks due that wait for the resource with this id of the source. Nudge after the commit. */
  wake(trx: AnyTransaction, source: string, reference: string): Promise<void>;
  nudge(): void;
  /** The last rejected callbacks of this process, newest first. */
  rejected(): readonly RejectedCallback[];
  /** Reports the last rejected callback. Never fails, because anyone can send one. */
  readonly check: Check;
  start(): void;
  /** Stops claiming and waits for callbacks being applied. Idempotent. */
  drain(): Promise<void>;
}

export function createCallbackInbox<DB extends CallbackInboxTables, Content>(
  options: CallbackInboxOptions<DB, Content>,
): CallbackInbox<DB, Content> {
  const { name, ids, clock, log, random, apply, retry, patienceMs, pollMs } = options;
  const { db } = options;
  const inbox = db as unknown as Database<CallbackInboxTables>;
  const { kysely: tables, dialect } = inbox;
  const rejected = createRejectedCallbacks();

  const reject = (source: CallbackSource<Content>, { header, body }: RawCallback, reason: string) => {
    rejected.add({ at: clock.now(), source: source.name, reason, header, bytes: body.length });
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

  const settle = async (
    trx: AnyTransaction,
    id: string,
    applied: Exclude<Applied, { kind: "early" }>,
    before?: StoredCallback,
  ) => {
    const { tenant = before?.tenant, subject = before?.subject } = applied;
    const outcome: CallbackOutcome =
      applied.kind === "failed"
        ? { state: "FAILED", failureMessage: applied.problem, tenant, subject }
        : { state: applied.changed || before?.state === "PROCESSED" ? "PROCESSED" : "IGNORED", tenant, subject };
    await settleCallback(withTables<CallbackInboxTables>(trx), dialect, id, outcome);
  };

  const postpone = (id: string, attempt: number, problem: string, reference?: string, on = tables) => {
    const pauseMs = fullJitterMs(Math.max(1, attempt), retry, random);
    return postponeCallback(on, dialect, id, { pauseMs, patienceMs, problem, reference });
  };

  const applyParsed = async (
    trx: Transaction<DB>,
    { id, source }: Pick<StoredCallback, "id" | "source">,
    parsed: ParsedCallback<Content>,
  ): Promise<Applied> =>
    "problem" in parsed
      ? { kind: "failed", problem: `it cannot be read: ${parsed.problem}` }
      : apply(trx, { id, source, content: parsed.content });

  const applyStored = async (trx: Transaction<DB>, callback: StoredCallback): Promise<Applied> => {
    const source = options.source(callback.source);
    return source === undefined
      ? { kind: "early", problem: `the source ${callback.source} is not configured` }
      : applyParsed(trx, callback, source.read(callback.body));
  };

  const record = async (trx: Transaction<DB>, id: string, applied: Applied, attempt: number) => {
    if (applied.kind === "early") {
      const { problem, reference } = applied;
      await postpone(id, attempt, problem, reference, withTables<CallbackInboxTables>(trx));
    } else {
      await settle(trx, id, applied);
    }
  };

  const work = async ({ id, attempt }: Claimed) => {
    try {
      await db.transaction(async (trx) => {
        const callback = await lockCallback(withTables<CallbackInboxTables>(trx), dialect, id);
        if (callback?.state === "RECEIVED") {
          await record(trx, id, await applyStored(trx, callback), attempt);
        }
      });
    } catch (error) {
      await postpone(id, attempt, error instanceof Error ? error.message : String(error));
      throw error;
    }
  };

  const loop = createWorkLoop<Claimed>({
    name: `${name} callbacks`,
    log,
    pollMs,
    concurrency: 8,
    claim: (limit) => claimDue(inbox, "inbound_callbacks", { limit, leaseMs: WORK_LEASE_MS }),
    work,
  });

  return {
    async receive(source, callback) {
      const event = await verify(source, callback);
      const headers = Object.fromEntries([...callback.header].filter(([header]) => !notStored.has(header)));
      const { eventId, eventType } = event;
      const stored = { id: ids.next(), source: source.name, eventId, eventType, body: callback.body, headers };
      const store = (andApply: boolean) =>
        db.transaction(async (trx) => {
          const isNew = await insertCallback(withTables<CallbackInboxTables>(trx), dialect, stored, RECEIVE_LEASE_MS);
          if (isNew && andApply) {
            await record(trx, stored.id, await applyParsed(trx, stored, event), 1);
          }
          return isNew;
        });
      const isNew = await store(true).catch((error: unknown) => {
        log.error({ err: error, source: source.name, event: eventId }, "a callback is left to the worker");
        return store(false);
      });
      if (!isNew) {
        // A separate statement: the failed INSERT holds a lock that many concurrent duplicates would share.
        await countRepetition(tables, source.name, eventId);
      }
    },
    async replay(trx, callback) {
      const applied = await applyStored(trx, callback);
      if (applied.kind !== "early") {
        await settle(trx, callback.id, applied, callback);
      }
      return applied;
    },
    wake: (trx, source, reference) => wakeCallbacks(withTables<CallbackInboxTables>(trx), dialect, source, reference),
    nudge: loop.nudge,
    rejected: rejected.list,
    check: {
      policy: "degraded",
      run: async () => {
        const [last] = rejected.list();
        return last && { status: "pass", error: describe(rejected.total, last) };
      },
    },
    start: loop.start,
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
