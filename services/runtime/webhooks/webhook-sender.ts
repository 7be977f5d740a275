import { context } from "@opentelemetry/api";
import { counter } from "../../../gateway/telemetry/metric-spec.ts";
import { afterCommit } from "../db/after-commit.ts";
import type { AnyTransaction } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import { type Claimed, claimDue, releaseClaims } from "../jobs/claim-due.ts";
import type { BackgroundWork } from "../jobs/job-table.ts";
import { createWorkLoop } from "../jobs/work-loop.ts";
import type { Logger } from "../telemetry/log.ts";
import { meter, runtimeMetrics } from "../telemetry/metrics.ts";
import { contextOf } from "../telemetry/tracing.ts";
import { type Backoff, fullJitterMs } from "../values/backoff.ts";
import type { Ids } from "../values/ids.ts";
import type { Callback } from "./callback.ts";
import { deleteUndelivered, insertCallbacks, loadCallback, settleDelivered, settleFailed } from "./rows.ts";
import { createSignedPost } from "./signed-post.ts";
import type { CallbacksTable, CallbackTables } from "./tables.ts";

export interface WebhookSenderOptions<DB extends CallbackTables> {
  readonly db: Database<DB>;
  readonly ids: Ids;
  readonly log: Logger;
  /** Secret for Standard Webhooks signatures of requests to a URL: base64 of 24 to 64 bytes after `whsec_`. */
  readonly secretFor: (url: string) => string;
  /** Base of relative URLs, read on each request: a server may get its port after the sender is created. */
  readonly baseUrl: () => string;
  /** Random number in [0, 1) for jitter. Default `Math.random`. */
  readonly random?: () => number;
  /** Default `globalThis.fetch`. */
  readonly fetch?: typeof fetch;
  /** Poll interval. Default 250 ms. */
  readonly pollMs?: number;
  /** Most concurrent requests. Default 16. */
  readonly concurrency?: number;
  /** Timeout of an attempt. Default 10 s; the lease of a claim is twice as long. */
  readonly timeoutMs?: number;
  /**
   * Delay after the first failure, doubled after each further one up to the maximum; half of it is jitter. Default 200
   * ms, 60 s.
   */
  readonly retry?: Backoff;
  /** Time after which it gives up, counted from the due time. Default three days. */
  readonly giveUpMs?: number;
  /** Retention of settled rows. Default one day. */
  readonly retentionMs?: number;
}

/** Schedules requests, which its background work sends. */
export interface WebhookSender extends BackgroundWork {
  /** Schedules requests in the caller's transaction. They are sent once it has committed and they are due. */
  schedule(trx: AnyTransaction, callbacks: readonly Callback[]): Promise<void>;
  /** Cancels undelivered requests of these messages. Requests in transit may still arrive. */
  cancel(trx: AnyTransaction, messageIds: readonly string[]): Promise<void>;
  /** Polls immediately. */
  nudge(): void;
}

/**
 * Sends durable, delayed HTTP callbacks, signed per https://www.standardwebhooks.com (`webhook-id`,
 * `webhook-timestamp`, `webhook-signature`), and retries until the receiver responds with 2xx: at least once,
 * unordered, from any process that shares the database. Rows of a crashed process are claimed again when their lease
 * expires.
 *
 * ```ts
 * const sender = createWebhookSender({ db, ids, log, secretFor: () => secret, baseUrl: () => config.publicUrl });
 * await db.transaction((trx) => sender.schedule(trx, [{ messageId: "evt_1", url: "/hooks", body: "{}" }]));
 * ```
 */
export function createWebhookSender<DB extends CallbackTables>(options: WebhookSenderOptions<DB>): WebhookSender {
  const { ids, log, pollMs = 250, concurrency = 16, timeoutMs = 10_000, random = Math.random } = options;
  const { giveUpMs = 259_200_000, retentionMs = 86_400_000, retry = { initialMs: 200, maxMs: 60_000 } } = options;
  const db = options.db as unknown as Database<CallbackTables>;
  const post = createSignedPost({ ...options, timeoutMs });
  const timers = new Set<NodeJS.Timeout>();
  const attempts = counter(meter(), runtimeMetrics.webhookAttempts);

  const send = async (claim: Claimed, row: CallbacksTable, stop: AbortSignal) => {
    const problem = await post(row, stop);
    attempts.add(1, { outcome: problem === undefined ? "delivered" : "failed" });
    if (problem === undefined) {
      await settleDelivered(db, claim, retentionMs);
    } else {
      log.debug({ callback: row.message_id, attempt: claim.attempt, problem }, "callback not delivered");
      const pauseMs = withHalfJitter(claim.attempt, retry, random);
      await settleFailed(db, claim, { problem, pauseMs, retentionMs });
    }
  };

  const loop = createWorkLoop({
    name: "callbacks",
    log,
    concurrency,
    pollMs,
    claim: (limit) => claimDue(db, "callbacks", { limit, leaseMs: 2 * timeoutMs }),
    release: (claims) => releaseClaims(db, "callbacks", claims),
    async work(claim, stop) {
      const row = await loadCallback(db, claim);
      if (row !== undefined) {
        const { traceparent } = row;
        await context.with(contextOf(traceparent === null ? {} : { traceparent }), () => send(claim, row, stop));
      }
    },
  });

  /** Only reduces the delay until the next poll. */
  const nudgeLater = (delayMs: number) => {
    if (delayMs === 0) {
      loop.nudge();
      return;
    }
    const timer = setTimeout(() => {
      timers.delete(timer);
      loop.nudge();
    }, delayMs + 1);
    timers.add(timer.unref());
  };

  const drain = async () => {
    timers.forEach(clearTimeout);
    timers.clear();
    await loop.drain();
  };

  return {
    async schedule(trx, callbacks) {
      await insertCallbacks(trx, db.dialect, ids, callbacks, giveUpMs);
      for (const delayMs of new Set(callbacks.map((callback) => callback.delayMs ?? 0))) {
        if (delayMs < pollMs) {
          afterCommit(trx, () => nudgeLater(delayMs));
        }
      }
    },
    cancel: (trx, messageIds) => deleteUndelivered(trx, messageIds),
    everyMs: loop.everyMs,
    start: loop.start,
    runDue: loop.runDue,
    nudge: loop.nudge,
    drain,
    async [Symbol.asyncDispose]() {
      await drain();
      await loop[Symbol.asyncDispose]();
    },
  };
}

/** Between half of the doubled delay and all of it. */
function withHalfJitter(failures: number, retry: Backoff, random: () => number): number {
  const ceiling = fullJitterMs(failures, retry, () => 1);
  return Math.ceil(ceiling / 2 + fullJitterMs(failures, retry, random) / 2);
}
