import { setTimeout as sleep } from "node:timers/promises";
import type { Transaction } from "kysely";
import type { BusEvent } from "../bus/event-bus.ts";
import { afterCommit } from "../db/after-commit.ts";
import { tablesOf } from "../db/any-transaction.ts";
import { databaseErrorKind } from "../db/errors.ts";
import { nowMs } from "../db/sql.ts";
import { createWorkLoop, type WorkLoop } from "../jobs/work-loop.ts";
import { fullJitterMs } from "../values/backoff.ts";
import { applyEffects } from "./apply-effects.ts";
import { type ConsumerContext, giveUp, inTraceOf } from "./context.ts";
import type { Handled } from "./handlers.ts";
import { insertFresh } from "./message-rows.ts";
import {
  lockParked,
  type ParkedAggregate,
  type ParkedKey,
  postponeParked,
  readParkedEvents,
  unparkAggregate,
  unparkEvents,
} from "./parked-rows.ts";
import type { InboxTables } from "./tables.ts";

/** Aggregates retried concurrently. */
const CONCURRENCY = 8;
/** Events handled in one transaction. */
const PAGE = 128;
/** Pause of an aggregate after the database was unreachable. */
const OUTAGE_MS = 1_000;

/** Creates the job that retries a consumer's parked aggregates, including those that other processes parked. */
export function createParkedRetries<DB extends InboxTables>(ctx: ConsumerContext<DB>, pollMs: number): WorkLoop {
  const { db, consumer, log } = ctx;
  const tables = tablesOf<InboxTables>(db.kysely);
  const busy = new Set<string>();
  return createWorkLoop<ParkedKey>({
    name: `inbox-parked ${consumer}`,
    log,
    concurrency: CONCURRENCY,
    pollMs,
    async claim(limit) {
      const due = await tables
        .selectFrom("inbox_parked")
        .select(["tenant_id", "aggregate", "consumer"])
        .where("consumer", "=", consumer)
        .where("due_at", "<=", nowMs(db.dialect))
        .orderBy("due_at")
        .limit(limit + busy.size)
        .execute();
      return due.filter((key) => !busy.has(textOf(key))).slice(0, limit);
    },
    async work(key, signal) {
      busy.add(textOf(key));
      try {
        await retryAggregate(ctx, key, signal);
      } catch (error) {
        log.warn({ err: error, consumer, aggregate: key.aggregate }, "parked events could not be retried");
        await sleep(OUTAGE_MS, undefined, { signal }).catch(() => {});
      } finally {
        busy.delete(textOf(key));
      }
    },
  });
}

/** An event whose handling failed. */
interface Failed {
  readonly id: string;
  readonly error: unknown;
}

/** A transaction on a parked aggregate. */
interface Step {
  /** The event at which to stop, because it failed in the step before. */
  readonly failed: Failed | undefined;
  /** Most events to handle. */
  readonly limit: number;
  /** The first event; undefined if there is none. */
  first: BusEvent | undefined;
  /** The event whose effect is being applied. */
  current: BusEvent | undefined;
}

/**
 * Handles the events of a parked aggregate in order, until one fails. That one is postponed with backoff or, after its
 * last attempt, becomes a dead letter, and the next one follows. Processes exclude each other by the aggregate's row.
 *
 * Rejects if the database is unreachable; that is not an attempt.
 */
async function retryAggregate<DB extends InboxTables>(
  ctx: ConsumerContext<DB>,
  key: ParkedKey,
  signal: AbortSignal,
): Promise<void> {
  let failed: Failed | undefined;
  let limit = PAGE;
  let more = true;
  while (more && !signal.aborted) {
    const step: Step = { failed, limit, first: undefined, current: undefined };
    try {
      more = await ctx.db.transaction((trx) => advance(ctx, trx, key, step));
      failed = undefined;
    } catch (error) {
      const kind = databaseErrorKind(error);
      const culprit = step.current ?? (limit === 1 ? step.first : undefined);
      if (kind === "lost" || kind === "commit-unknown" || (limit === 1 && culprit?.id === failed?.id)) {
        throw error;
      }
      // If no single event can be blamed, they are handled one by one.
      limit = culprit === undefined ? 1 : limit;
      failed = culprit && { id: culprit.id, error };
    }
  }
}

/**
 * One transaction: handles the events before the failed one, and records its attempt. Returns whether there is more to
 * handle now.
 */
async function advance<DB extends InboxTables>(
  ctx: ConsumerContext<DB>,
  trx: Transaction<DB>,
  key: ParkedKey,
  step: Step,
): Promise<boolean> {
  const { db } = ctx;
  const { failed, limit } = step;
  step.current = undefined;
  const [parked] = await lockParked(trx, db.dialect, [key]);
  if (parked === undefined || !parked.isDue) {
    return false;
  }
  const events = await readParkedEvents(trx, key, limit);
  step.first = events[0];
  const stop = events.findIndex(({ id }) => id === failed?.id);
  const before = stop === -1 ? events : events.slice(0, stop);
  await applyEffects(trx, ctx.runCommands, await recordParked(ctx, trx, before), (message) => {
    step.current = message?.event;
  });
  const event = events[stop];
  const given = event && failed && (await recordFailure(ctx, trx, parked, { event, failed, isFirst: stop === 0 }));
  await unparkEvents(trx, key, given === "dead letter" ? events.slice(0, stop + 1) : before);
  if (given === "postponed") {
    return false;
  }
  const isEmpty = events.length < limit && (event === undefined || stop === events.length - 1);
  if (isEmpty) {
    await unparkAggregate(trx, key);
  } else if (before.length > 0 || given === "dead letter") {
    await postponeParked(trx, db.dialect, key, { count: 0, error: parked.error, retryInMs: 0 });
  }
  return !isEmpty;
}

/** Records the events as handled, and returns those that are to be handled now. */
async function recordParked<DB extends InboxTables>(
  ctx: ConsumerContext<DB>,
  trx: Transaction<DB>,
  events: readonly BusEvent[],
): Promise<readonly Handled<DB>[]> {
  const messages: Handled<DB>[] = [];
  for (const event of events) {
    const decoded = ctx.decoder.decode(event);
    if (decoded !== undefined && "error" in decoded) {
      await giveUp(ctx, trx, { event, error: decoded.error, attempts: 1 });
    } else if (decoded !== undefined) {
      messages.push(decoded);
    }
  }
  const recorded = await insertFresh(
    trx,
    ctx.db.dialect,
    ctx.consumer,
    messages.map(({ event }) => event),
  );
  const fresh = new Set(recorded);
  return messages.filter(({ event }) => fresh.has(event));
}

async function recordFailure<DB extends InboxTables>(
  ctx: ConsumerContext<DB>,
  trx: Transaction<DB>,
  parked: ParkedAggregate,
  { event, failed: { error }, isFirst }: { event: BusEvent; failed: Failed; isFirst: boolean },
): Promise<"dead letter" | "postponed"> {
  const { db, consumer, log, maxAttempts, retry, random, onParked } = ctx;
  const count = (isFirst ? parked.attempts : 0) + 1;
  if (count >= maxAttempts) {
    await giveUp(ctx, trx, { event, error, attempts: count });
    return "dead letter";
  }
  const retryInMs = fullJitterMs(count, retry, random);
  await postponeParked(trx, db.dialect, parked, { count, error, retryInMs });
  afterCommit(trx, () => {
    const line = { err: error, consumer, event: event.id, type: event.type, attempt: count };
    inTraceOf(event, () => log.warn(line, "message failed again"));
    onParked(retryInMs);
  });
  return "postponed";
}

function textOf({ tenant_id, aggregate }: ParkedKey): string {
  return `${tenant_id}\0${aggregate}`;
}
