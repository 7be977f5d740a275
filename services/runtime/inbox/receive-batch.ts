import type { Transaction } from "kysely";
import type { BusEvent } from "../bus/event-bus.ts";
import { afterCommit } from "../db/after-commit.ts";
import { databaseErrorKind } from "../db/errors.ts";
import { inLinkedSpan, spanContextOf } from "../telemetry/tracing.ts";
import { fullJitterMs } from "../values/backoff.ts";
import { applyEffects } from "./apply-effects.ts";
import { type ConsumerContext, giveUp, inTraceOf } from "./context.ts";
import type { Handled, Undeliverable } from "./handlers.ts";
import { insertAllFresh, insertFresh } from "./message-rows.ts";
import { lockParked, type ParkedKey, parkAggregate, parkEvents } from "./parked-rows.ts";
import type { InboxTables } from "./tables.ts";

/** The messages of one aggregate in a batch, in order. */
interface Run<DB> {
  readonly key: ParkedKey;
  readonly messages: Handled<DB>[];
  readonly undeliverable: Undeliverable[];
  /** The message that failed. It and those behind it are parked; those before it are handled. */
  failed: { readonly at: number; readonly error: unknown } | undefined;
}

/** A message of a run, by position. */
interface Position<DB> {
  readonly run: Run<DB>;
  readonly at: number;
}

interface Failure<DB> {
  readonly error: unknown;
  /** The message whose handler failed; undefined if the transaction failed otherwise. */
  readonly position: Position<DB> | undefined;
}

/** A message of the batch was handled before, or its aggregate is parked. */
class NotFreshError extends Error {}

/**
 * Handles a batch in one transaction. If a handler fails, the transaction is rolled back and repeated up to that
 * message's aggregate, which is parked from the message on; the rest of the batch follows in another transaction. So
 * aggregates do not hold each other up, and no message is handled more than twice per failure in its batch.
 *
 * Rejects if the database is unreachable; the batch must then be delivered again.
 */
export async function receiveBatch<DB extends InboxTables>(
  ctx: ConsumerContext<DB>,
  events: readonly BusEvent[],
): Promise<void> {
  ctx.batchSize.record(events.length, { consumer: ctx.consumer });
  const publishers = events.map(({ extensions }) => spanContextOf(extensions));
  await inLinkedSpan(`receive ${ctx.consumer}`, publishers, () => handleRuns(ctx, runsOf(ctx, events)));
}

async function handleRuns<DB extends InboxTables>(ctx: ConsumerContext<DB>, runs: readonly Run<DB>[]): Promise<void> {
  const failure = runs.length === 0 ? undefined : await attempt(ctx, runs);
  if (failure === undefined) {
    return;
  }
  const { error, position } = failure;
  const culprit = position?.run ?? (runs.length === 1 ? runs[0] : undefined);
  const at = position?.at ?? 0;
  if (culprit !== undefined) {
    if (culprit.failed !== undefined && culprit.failed.at <= at) {
      throw error;
    }
    culprit.failed = { at, error };
  }
  const split = culprit === undefined ? Math.ceil(runs.length / 2) : runs.indexOf(culprit) + 1;
  await handleRuns(ctx, runs.slice(0, split));
  await handleRuns(ctx, runs.slice(split));
}

/** Handles runs in one transaction. Returns why nothing was stored; rejects if the database is unreachable. */
async function attempt<DB extends InboxTables>(
  ctx: ConsumerContext<DB>,
  runs: readonly Run<DB>[],
): Promise<Failure<DB> | undefined> {
  let current: Position<DB> | undefined;
  const once = (recordAll: typeof recordFresh<DB>) =>
    ctx.db.transaction(async (trx) => {
      current = undefined;
      const positions = new Map((await recordAll(ctx, trx, runs)).map((position) => [messageAt(position), position]));
      await applyEffects(trx, ctx.runCommands, [...positions.keys()], (message) => {
        current = message && positions.get(message);
      });
      for (const run of runs) {
        await setAside(ctx, trx, run);
      }
    });
  try {
    await once(recordFresh).catch((error: unknown) => {
      if (error instanceof NotFreshError) {
        return once(recordOthers);
      }
      throw error;
    });
    return undefined;
  } catch (error) {
    const kind = databaseErrorKind(error);
    if (kind === "lost" || kind === "commit-unknown") {
      throw error;
    }
    return { error, position: current };
  }
}

/**
 * Records all messages that are to be handled, in one statement. Throws a NotFreshError if one was handled before or
 * must wait behind its parked aggregate.
 */
async function recordFresh<DB extends InboxTables>(
  { db, consumer }: ConsumerContext<DB>,
  trx: Transaction<DB>,
  runs: readonly Run<DB>[],
): Promise<readonly Position<DB>[]> {
  const positions = runs.flatMap(toHandle);
  const events = positions.map(eventAt);
  if (events.length > 0 && !(await insertAllFresh(trx, db.dialect, consumer, events))) {
    throw new NotFreshError();
  }
  return positions;
}

/** Records the messages that were not handled before, and parks those whose aggregate is parked. */
async function recordOthers<DB extends InboxTables>(
  { db, consumer }: ConsumerContext<DB>,
  trx: Transaction<DB>,
  runs: readonly Run<DB>[],
): Promise<readonly Position<DB>[]> {
  const locked = await lockParked(
    trx,
    db.dialect,
    runs.map(({ key }) => key),
  );
  const parked = new Set(locked.map(textOf));
  const followers = runs.filter(({ key }) => parked.has(textOf(key)));
  await parkEvents(
    trx,
    db.dialect,
    consumer,
    followers.flatMap(({ messages }) => messages.map(({ event }) => event)),
  );
  const positions = runs.filter((run) => !followers.includes(run)).flatMap(toHandle);
  const fresh = new Set(await insertFresh(trx, db.dialect, consumer, positions.map(eventAt)));
  return positions.filter((position) => fresh.has(eventAt(position)));
}

/** Parks a run from its failed message on, and makes what can never be handled dead letters. */
async function setAside<DB extends InboxTables>(
  ctx: ConsumerContext<DB>,
  trx: Transaction<DB>,
  { key, messages, undeliverable, failed }: Run<DB>,
): Promise<void> {
  for (const { event, error } of undeliverable) {
    await giveUp(ctx, trx, { event, error, attempts: 1 });
  }
  if (failed === undefined) {
    return;
  }
  const { db, consumer, log, maxAttempts, retry, random, onParked } = ctx;
  const { error } = failed;
  const [first, ...followers] = messages.slice(failed.at).map(({ event }) => event);
  if (first === undefined) {
    return;
  }
  const isLast = maxAttempts <= 1;
  if (isLast) {
    await giveUp(ctx, trx, { event: first, error, attempts: 1 });
  }
  const waiting = isLast ? followers : [first, ...followers];
  if (waiting.length > 0) {
    const retryInMs = isLast ? 0 : fullJitterMs(1, retry, random);
    await parkAggregate(trx, db.dialect, key, { count: isLast ? 0 : 1, error, retryInMs });
    await parkEvents(trx, db.dialect, consumer, waiting);
    afterCommit(trx, () => {
      const { tenant_id: tenant, aggregate } = key;
      const line = { err: error, consumer, tenant, aggregate, event: first.id, type: first.type };
      inTraceOf(first, () => log.warn(line, "aggregate was parked"));
      onParked(retryInMs);
    });
  }
}

/** Groups a batch by aggregate, in the order in which rows are locked. Events without an effect are left out. */
function runsOf<DB extends InboxTables>(
  { consumer, decoder }: ConsumerContext<DB>,
  events: readonly BusEvent[],
): readonly Run<DB>[] {
  const runs = new Map<string, Run<DB>>();
  const ids = new Set<string>();
  for (const event of events) {
    const decoded = ids.has(event.id) ? undefined : decoder.decode(event);
    ids.add(event.id);
    if (decoded !== undefined) {
      const key = { tenant_id: event.tenant, aggregate: event.aggregate, consumer };
      const run = runs.get(textOf(key)) ?? { key, messages: [], undeliverable: [], failed: undefined };
      runs.set(textOf(key), run);
      if ("error" in decoded) {
        run.undeliverable.push(decoded);
      } else {
        run.messages.push(decoded);
      }
    }
  }
  return [...runs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, run]) => run);
}

/** The messages before the failed one. */
function toHandle<DB>(run: Run<DB>): Position<DB>[] {
  return run.messages.slice(0, run.failed?.at).map((_, at) => ({ run, at }));
}

function messageAt<DB>({ run, at }: Position<DB>): Handled<DB> {
  return run.messages[at] as Handled<DB>;
}

function eventAt<DB>(position: Position<DB>): BusEvent {
  return messageAt(position).event;
}

function textOf({ tenant_id, aggregate }: ParkedKey): string {
  return `${tenant_id}\0${aggregate}`;
}
