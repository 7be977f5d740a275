import { afterCommit } from "../db/after-commit.ts";
import type { AnyTransaction } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import { type Claimed, claimDue } from "../jobs/claim-due.ts";
import { createWorkLoop } from "../jobs/work-loop.ts";
import type { Logger } from "../telemetry/log.ts";
import { type Backoff, fullJitterMs } from "../values/backoff.ts";
import type { Ids } from "../values/ids.ts";
import type { Callback } from "./callback.ts";
import { deleteUndelivered, insertCallbacks, loadCallback, settleDelivered, settleFailed } from "./rows.ts";
import { createSignedPost } from "./signed-post.ts";
import type { CallbackTables } from "./tables.ts";

export interface WebhookSenderOptions<DB extends CallbackTables> {
  readonly db: Database<DB>;
  readonly ids: Ids;
  readonly log: Logger;
  /** Signs as Standard Webhooks do: base64 of 24 to 64 bytes after `whsec_`. */
  readonly secret: string;
  /** What relative URLs are relative to, asked for at each sending: a server may get its port after the sender is made. */
  readonly baseUrl: () => string;
  /** A number in [0, 1), for the jitter of pauses; `Math.random` unless given. */
  readonly random?: () => number;
  /** `globalThis.fetch` unless given. */
  readonly fetch?: typeof fetch;
  /** How often it looks without being nudged. 250 ms unless given. */
  readonly pollMs?: number;
  /** How many requests are on their way at once at the most. 16 unless given. */
  readonly concurrency?: number;
  /** How long an attempt may take. 10 s unless given; a claim is leased for twice as long. */
  readonly timeoutMs?: number;
  /** The pause after the first failure, doubled after each further one, up to the most; half of it is jitter. 200 ms and 60 s. */
  readonly retry?: Backoff;
  /** How long after its due time it is given up. Three days unless given. */
  readonly giveUpMs?: number;
  /** How long settled rows are kept. One day unless given. */
  readonly retentionMs?: number;
}

/** Makes the scheduled requests. */
export interface WebhookSender extends AsyncDisposable {
  /**
   * Writes them in the caller's transaction. They are sent when it has committed and they are due.
   */
  schedule(trx: AnyTransaction, callbacks: readonly Callback[]): Promise<void>;
  /** Takes back what was not delivered of these messages. What is on its way at this moment may still arrive. */
  cancel(trx: AnyTransaction, messageIds: readonly string[]): Promise<void>;
  /** Begins to send. */
  start(): void;
  /** Looks for due rows now. */
  nudge(): void;
  /** Claims nothing more and waits for what is on its way. Repeatable. */
  drain(): Promise<void>;
}

/**
 * Sends durable, delayed HTTP callbacks, signed as https://www.standardwebhooks.com asks (`webhook-id`,
 * `webhook-timestamp`, `webhook-signature`), each until the receiver answers 2xx: at least once, in no order, from any
 * process that shares the database. Rows of a killed process are sent by another, or by it after its restart, when their
 * lease ends.
 *
 * ```ts
 * const sender = createWebhookSender({ db, ids, log, secret, baseUrl: () => config.publicUrl });
 * await db.transaction((trx) => sender.schedule(trx, [{ messageId: "evt_1", url: "/hooks", body: "{}" }]));
 * ```
 */
export function createWebhookSender<DB extends CallbackTables>(options: WebhookSenderOptions<DB>): WebhookSender {
  const { ids, log, pollMs = 250, concurrency = 16, timeoutMs = 10_000, random = Math.random } = options;
  const { giveUpMs = 259_200_000, retentionMs = 86_400_000, retry = { initialMs: 200, maxMs: 60_000 } } = options;
  const db = options.db as unknown as Database<CallbackTables>;
  const post = createSignedPost({ ...options, timeoutMs });
  const timers = new Set<NodeJS.Timeout>();

  const send = async (claim: Claimed, stop: AbortSignal) => {
    const row = await loadCallback(db, claim);
    if (row === undefined) {
      return;
    }
    const problem = await post(row, stop);
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
    work: send,
  });

  /** The next poll would find it too; this is only sooner. */
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
    start() {
      loop.start();
    },
    nudge: loop.nudge,
    drain,
    async [Symbol.asyncDispose]() {
      await drain();
      await loop[Symbol.asyncDispose]();
    },
  };
}

/** Between half of the doubled pause and all of it. */
function withHalfJitter(failures: number, retry: Backoff, random: () => number): number {
  const ceiling = fullJitterMs(failures, retry, () => 1);
  return Math.ceil(ceiling / 2 + fullJitterMs(failures, retry, random) / 2);
}
