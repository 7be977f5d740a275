import { setTimeout as sleep } from "node:timers/promises";
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import type { Transaction } from "kysely";
import type { BusEvent, EventBus } from "../bus/event-bus.ts";
import { withTables } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import { databaseErrorKind } from "../db/errors.ts";
import { insertIgnore, nowMs } from "../db/sql.ts";
import type { Logger } from "../telemetry/log.ts";
import { type Backoff, fullJitterMs } from "../values/backoff.ts";
import type { Ids } from "../values/ids.ts";
import {
  type DeadLetterRow,
  insertDeadLetter,
  markReplayed,
  noteFailedReplay,
  takeDeadLetter,
} from "./dead-letter-rows.ts";
import type { InboxTables } from "./tables.ts";

/** Handler of one event type. Create it with {@link on}. */
export interface MessageHandler<DB> {
  readonly schema: DescMessage;
  /** Applies the effect, in the transaction that also inserts the inbox row. Must await only the database. */
  handle(trx: Transaction<DB>, message: never, event: BusEvent): Promise<void>;
  /** Filters messages: one without an effect is neither handled nor recorded. */
  readonly concerns?: ((message: never) => boolean) | undefined;
}

/** Binds a handler to a message type and, with `concerns`, to those of its messages that have an effect. */
export function on<Desc extends DescMessage, DB>(
  schema: Desc,
  handle: (trx: Transaction<DB>, message: MessageShape<Desc>, event: BusEvent) => Promise<void>,
  concerns?: (message: MessageShape<Desc>) => boolean,
): MessageHandler<DB> {
  return { schema, handle, concerns };
}

export interface ConsumerOptions<DB extends InboxTables> {
  readonly db: Database<DB>;
  readonly bus: EventBus;
  /** Unique in the whole system and immutable, for example `trips.visas`. At most 64 characters. */
  readonly consumer: string;
  readonly handlers: readonly MessageHandler<DB>[];
  readonly log: Logger;
  readonly ids: Ids;
  /** Random number in [0, 1) for jitter. Default `Math.random`. */
  readonly random?: () => number;
  /** Attempts before a message becomes a dead letter. Default 8. */
  readonly maxAttempts?: number;
  /** Delays between attempts. Default 50 ms up to 5 s. */
  readonly retry?: Backoff;
}

/** A consumer. Disposing it ends the subscription. */
export interface Consumer extends AsyncDisposable {
  readonly name: string;
  /**
   * Handles a dead letter again: the effect, the inbox row and the letter's `replayed_at` in one transaction. A letter
   * replayed before, or whose message was handled meanwhile, has no second effect.
   *
   * @returns False if this consumer has no such letter
   * @throws the handler's error; the letter is then kept, with the error and one more attempt
   */
  replay(deadLetterId: string): Promise<boolean>;
}

/**
 * Subscribes a consumer immediately: create every consumer of a process before any relay starts.
 *
 * Each message has its effect exactly once, however often it is delivered, because the inbox row commits with the
 * effect. A message whose handler throws is retried with backoff, which blocks only its own aggregate; after the last
 * attempt, or immediately if it cannot be decoded, it becomes a dead letter and the next message follows. An
 * unreachable database does not use up attempts: the bus redelivers the message.
 *
 * ```ts
 * const visas = createConsumer({
 *   db, bus, log, ids,
 *   consumer: "trips.visas",
 *   handlers: [on(VisaGrantedSchema, (trx, message) => visaGranted(context, trx, message))],
 * });
 * ```
 */
export function createConsumer<DB extends InboxTables>(options: ConsumerOptions<DB>): Consumer {
  const { db, bus, consumer, log, ids, random = Math.random, maxAttempts = 8 } = options;
  const { retry = { initialMs: 50, maxMs: 5_000 } } = options;
  const handlers = new Map(options.handlers.map((handler) => [handler.schema.typeName, handler]));
  const leaving = new AbortController();

  /** Applies the effect exactly once: only the transaction that inserts the inbox row does. */
  const handleOnce = async (trx: Transaction<DB>, handler: MessageHandler<DB>, message: object, event: BusEvent) => {
    const inbox = withTables<InboxTables>(trx);
    const row = { consumer, message_id: event.id, received_at: nowMs(db.dialect) };
    if (await insertIgnore(inbox, "inbox_messages", row)) {
      await handler.handle(trx, message as never, event);
    }
  };

  const giveUp = async (event: BusEvent, error: unknown, attempts: number) => {
    log.error({ err: error, consumer, event: event.id, type: event.type, attempts }, "message became a dead letter");
    await db.transaction((trx) =>
      insertDeadLetter(trx, db.dialect, { id: ids.next(), consumer, event, error, attempts }),
    );
  };

  const receive = async (event: BusEvent): Promise<void> => {
    const handler = handlers.get(event.type);
    if (handler === undefined) {
      return;
    }
    const message = decode(handler, event);
    if (message instanceof Error) {
      return giveUp(event, message, 1);
    }
    if (handler.concerns?.(message as never) === false) {
      return;
    }
    for (let attempt = 1; ; attempt++) {
      try {
        return await db.transaction((trx) => handleOnce(trx, handler, message, event));
      } catch (error) {
        const kind = databaseErrorKind(error);
        if (kind === "lost" || kind === "commit-unknown") {
          throw error;
        }
        if (attempt >= maxAttempts) {
          return giveUp(event, error, attempt);
        }
        log.warn({ err: error, consumer, event: event.id, type: event.type, attempt }, "message could not be handled");
      }
      await sleep(fullJitterMs(attempt, retry, random), undefined, { signal: leaving.signal });
    }
  };

  const replayLetter = async (trx: Transaction<DB>, letter: DeadLetterRow) => {
    const event = eventOf(letter);
    const handler = handlers.get(event.type);
    if (handler === undefined) {
      throw new Error(`${consumer} no longer handles ${event.type}`);
    }
    const message = decode(handler, event);
    if (message instanceof Error) {
      throw message;
    }
    await handleOnce(trx, handler, message, event);
    await markReplayed(trx, db.dialect, letter.id);
  };

  const subscription = bus.subscribe(consumer, [...handlers.keys()], receive);
  return {
    name: consumer,
    async replay(id) {
      try {
        return await db.transaction(async (trx) => {
          const letter = await takeDeadLetter(trx, db.dialect, { id, consumer });
          if (letter !== undefined && letter.replayed_at === null) {
            await replayLetter(trx, letter);
          }
          return letter !== undefined;
        });
      } catch (error) {
        await db.transaction((trx) => noteFailedReplay(trx, id, error));
        throw error;
      }
    },
    async [Symbol.asyncDispose]() {
      leaving.abort();
      await subscription[Symbol.asyncDispose]();
    },
  };
}

function decode(handler: { readonly schema: DescMessage }, event: BusEvent): object | Error {
  try {
    return fromBinary(handler.schema, event.data);
  } catch (error) {
    return new Error(`not a ${event.type}`, { cause: error });
  }
}

function eventOf(letter: DeadLetterRow): BusEvent {
  return {
    id: letter.message_id,
    type: letter.event_type,
    source: letter.source,
    aggregate: letter.aggregate,
    sequence: letter.sequence,
    tenant: letter.tenant_id,
    time: new Date(letter.published_at),
    data: letter.data,
    extensions: letter.extensions === null ? {} : (JSON.parse(letter.extensions) as Record<string, string>),
  };
}
