import type { Transaction } from "kysely";
import { counter, histogram } from "../../../gateway/telemetry/metric-spec.ts";
import type { EventBus } from "../bus/event-bus.ts";
import type { CommandsInTransaction } from "../commands/in-transaction.ts";
import type { AnyTransaction } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import type { BackgroundWork, JobRow } from "../jobs/job-table.ts";
import type { Logger } from "../telemetry/log.ts";
import { meter, runtimeMetrics } from "../telemetry/metrics.ts";
import type { Backoff } from "../values/backoff.ts";
import type { Ids } from "../values/ids.ts";
import { applyEffects } from "./apply-effects.ts";
import type { ConsumerContext } from "./context.ts";
import { type DeadLetterRow, markReplayed, noteFailedReplay, takeDeadLetter } from "./dead-letter-rows.ts";
import { fromColumns } from "./event-columns.ts";
import { createDecoder, type MessageHandler } from "./handlers.ts";
import { insertFresh } from "./message-rows.ts";
import { receiveBatch } from "./receive-batch.ts";
import { createParkedRetries } from "./retry-parked.ts";
import type { InboxTables } from "./tables.ts";

export interface ConsumerOptions<DB extends InboxTables> {
  readonly db: Database<DB>;
  readonly bus: EventBus;
  /** Unique in the whole system and immutable, for example `trips.visas`. At most 64 characters. */
  readonly consumer: string;
  readonly handlers: readonly MessageHandler<DB>[];
  /** Required if a handler has commands. */
  readonly runCommands?: CommandsInTransaction<DB>;
  readonly log: Logger;
  readonly ids: Ids;
  /** Random number in [0, 1) for jitter. Default `Math.random`. */
  readonly random?: () => number;
  /** Attempts before a message becomes a dead letter. Default 8. */
  readonly maxAttempts?: number;
  /** Delays between attempts. Default 50 ms up to 5 s. */
  readonly retry?: Backoff;
  /** Interval of looking for aggregates that other processes parked. Default 5 s. */
  readonly pollMs?: number;
}

/** A consumer, with the background work that retries its parked events. Disposing it ends the subscription. */
export interface Consumer extends BackgroundWork {
  readonly name: string;
  /**
   * Handles a dead letter again: the effect, the inbox row and the letter's `replayed_at` in one transaction. A letter
   * replayed before, or whose message was handled meanwhile, has no second effect. `alongside` runs in the transaction
   * that sets `replayed_at`.
   *
   * @returns False if this consumer has no such letter
   * @throws the handler's error; the letter is then kept, with the error and one more attempt
   */
  replay(deadLetterId: string, alongside?: (trx: AnyTransaction) => Promise<void>): Promise<boolean>;
}

/**
 * Subscribes a consumer immediately: create every consumer of a process before any relay starts. `start` it with the
 * process's background work.
 *
 * Each message has its effect exactly once, however often it is delivered, because the inbox row commits with the
 * effect. The messages of a batch share a transaction. If a handler throws, its message and those behind it of the same
 * aggregate are parked in the database, so that nothing else waits, and a job retries them in order, with backoff and in
 * any process of this consumer. After its last attempt, or immediately if it cannot be decoded, a message becomes a dead
 * letter and the next one follows. An unreachable database does not use up attempts: the bus redelivers the batch.
 *
 * ```ts
 * const visas = createConsumer({
 *   db, bus, log, ids,
 *   consumer: "trips.visas",
 *   handlers: [on(VisaGrantedSchema, (trx, message) => visaGranted(context, trx, message))],
 * });
 * visas.start();           // in the service's start()
 * ```
 */
export function createConsumer<DB extends InboxTables>(options: ConsumerOptions<DB>): Consumer {
  const { db, bus, consumer, runCommands, log, ids, random = Math.random, maxAttempts = 8, pollMs = 5_000 } = options;
  const { retry = { initialMs: 50, maxMs: 5_000 } } = options;
  const decoder = createDecoder(consumer, options.handlers);
  const timers = new Set<NodeJS.Timeout>();
  const onParked = (inMs: number) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      retries.nudge();
    }, inMs);
    timers.add(timer.unref());
  };
  const ctx: ConsumerContext<DB> = {
    db,
    consumer,
    decoder,
    runCommands,
    log,
    ids,
    random,
    maxAttempts,
    retry,
    batchSize: histogram(meter(), runtimeMetrics.inboxBatchSize),
    deadLetters: counter(meter(), runtimeMetrics.deadLetters),
    onParked,
  };
  // So that the first one is an increase.
  ctx.deadLetters.add(0, { consumer });
  const retries = createParkedRetries(ctx, pollMs);

  const replayLetter = async (trx: Transaction<DB>, letter: DeadLetterRow) => {
    const decoded = decoder.decode(fromColumns(letter));
    if (decoded !== undefined && "error" in decoded) {
      throw decoded.error;
    }
    if (decoded !== undefined && (await insertFresh(trx, db.dialect, consumer, [decoded.event])).length > 0) {
      await applyEffects(trx, runCommands, [decoded], () => {});
    }
    await markReplayed(trx, db.dialect, letter.id);
  };

  const subscription = bus.subscribe(consumer, decoder.types, (events) => receiveBatch(ctx, events));
  return {
    name: consumer,
    everyMs: retries.everyMs,
    start: retries.start,
    runDue: retries.runDue,
    drain: retries.drain,
    async replay(id, alongside) {
      try {
        return await db.transaction(async (trx) => {
          const letter = await takeDeadLetter(trx, db.dialect, { id, consumer });
          if (letter !== undefined && letter.replayed_at === null) {
            await replayLetter(trx, letter);
            await alongside?.(trx);
          }
          return letter !== undefined;
        });
      } catch (error) {
        await db.transaction((trx) => noteFailedReplay(trx, id, error));
        throw error;
      }
    },
    async [Symbol.asyncDispose]() {
      await subscription[Symbol.asyncDispose]();
      timers.forEach(clearTimeout);
      await retries[Symbol.asyncDispose]();
    },
  };
}

/** The consumer as a row of the service's job table. */
export function inboxJob(consumer: Consumer): JobRow {
  return {
    name: `inbox ${consumer.name}`,
    does: "Retries the events of the bus that could not be handled when they arrived.",
    work: consumer,
  };
}
