import { type Counter, context, type Histogram } from "@opentelemetry/api";
import type { BusEvent } from "../bus/event-bus.ts";
import type { CommandsInTransaction } from "../commands/in-transaction.ts";
import { afterCommit } from "../db/after-commit.ts";
import type { AnyTransaction } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import type { Logger } from "../telemetry/log.ts";
import { contextOf } from "../telemetry/tracing.ts";
import type { Backoff } from "../values/backoff.ts";
import type { Ids } from "../values/ids.ts";
import { insertDeadLetter } from "./dead-letter-rows.ts";
import type { Decoder } from "./handlers.ts";
import type { InboxTables } from "./tables.ts";

/** What the parts of a consumer share. */
export interface ConsumerContext<DB extends InboxTables> {
  readonly db: Database<DB>;
  readonly consumer: string;
  readonly decoder: Decoder<DB>;
  readonly runCommands: CommandsInTransaction<DB> | undefined;
  readonly log: Logger;
  readonly ids: Ids;
  readonly random: () => number;
  readonly maxAttempts: number;
  readonly retry: Backoff;
  readonly batchSize: Histogram;
  readonly deadLetters: Counter;
  /** Called after an aggregate was parked, or postponed, until `inMs` from now. */
  onParked(inMs: number): void;
}

/** A failed attempt at an event: the number of attempts so far, and the last one's error. */
export interface FailedAttempt {
  readonly event: BusEvent;
  readonly error: unknown;
  readonly attempts: number;
}

/** Makes an event a dead letter, unless it is one. */
export async function giveUp<DB extends InboxTables>(
  { db, consumer, log, ids, deadLetters }: ConsumerContext<DB>,
  trx: AnyTransaction,
  { event, error, attempts }: FailedAttempt,
): Promise<void> {
  await insertDeadLetter(trx, db.dialect, { id: ids.next(), consumer, event, error, attempts });
  afterCommit(trx, () => {
    deadLetters.add(1, { consumer });
    const line = { err: error, consumer, event: event.id, type: event.type, attempts };
    inTraceOf(event, () => log.error(line, "message became a dead letter"));
  });
}

/** Logs in the trace that published the event. */
export function inTraceOf({ extensions }: BusEvent, log: () => void): void {
  context.with(contextOf(extensions), log);
}
