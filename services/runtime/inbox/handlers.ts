import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { SpanKind } from "@opentelemetry/api";
import type { Transaction } from "kysely";
import type { BusEvent } from "../bus/event-bus.ts";
import type { Command } from "../commands/command.ts";
import { causedBy, type SpanOptions } from "../telemetry/tracing.ts";

/** Handler of one event type. Create it with {@link on} or {@link onAsCommand}. */
export interface MessageHandler<DB> {
  readonly schema: DescMessage;
  readonly effect: StatementsEffect<DB> | CommandsEffect<DB>;
  /** Filters messages: one without an effect is neither handled nor recorded. */
  readonly concerns?: ((message: never) => boolean) | undefined;
}

/** An effect by statements of its own. */
interface StatementsEffect<DB> {
  /** Applies the effect, in the transaction that also inserts the inbox row. Must await only the database. */
  handle(trx: Transaction<DB>, message: never, event: BusEvent): Promise<void>;
}

/** An effect by commands, which share their statements with the rest of the batch. */
interface CommandsEffect<DB> {
  /** Returns one command for each message, in order. May read what their keys depend on, and lock nothing. */
  commands(trx: Transaction<DB>, received: readonly Received<never>[]): Promise<readonly Command<unknown>[]>;
}

/** A decoded message with its event. */
export interface Received<Message> {
  readonly message: Message;
  readonly event: BusEvent;
}

/** Binds a handler to a message type and, with `concerns`, to those of its messages that have an effect. */
export function on<Desc extends DescMessage, DB>(
  schema: Desc,
  handle: (trx: Transaction<DB>, message: MessageShape<Desc>, event: BusEvent) => Promise<void>,
  concerns?: (message: MessageShape<Desc>) => boolean,
): MessageHandler<DB> {
  return { schema, effect: { handle }, concerns };
}

/**
 * Binds commands to a message type and, with `concerns`, to those of its messages that have an effect. The messages of a batch are one batch of commands, in the transaction that also
 * inserts their inbox rows: one statement a table, whatever their number.
 */
export function onAsCommand<Desc extends DescMessage, DB>(
  schema: Desc,
  commands: (
    trx: Transaction<DB>,
    received: readonly Received<MessageShape<Desc>>[],
  ) => Promise<readonly Command<unknown>[]>,
  concerns?: (message: MessageShape<Desc>) => boolean,
): MessageHandler<DB> {
  return { schema, effect: { commands }, concerns };
}

/** A decoded event. */
export interface Handled<DB> {
  readonly event: BusEvent;
  readonly message: object;
  readonly effect: MessageHandler<DB>["effect"];
  /** The span in which to apply the effect. */
  span(): SpanOptions;
}

/** An event that can never be handled: it cannot be decoded, or has no handler. */
export interface Undeliverable {
  readonly event: BusEvent;
  readonly error: Error;
}

/** Decodes the events of a consumer. */
export interface Decoder<DB> {
  /** The types that the consumer handles. */
  readonly types: readonly string[];
  /** Returns undefined for an event without an effect. */
  decode(event: BusEvent): Handled<DB> | Undeliverable | undefined;
}

/** Creates the decoder of a consumer from its handlers. */
export function createDecoder<DB>(consumer: string, list: readonly MessageHandler<DB>[]): Decoder<DB> {
  const handlers = new Map(list.map((handler) => [handler.schema.typeName, handler]));
  return {
    types: [...handlers.keys()],
    decode(event) {
      const handler = handlers.get(event.type);
      if (handler === undefined) {
        return { event, error: new Error(`${consumer} no longer handles ${event.type}`) };
      }
      const message = messageOf(handler.schema, event);
      if (message instanceof Error) {
        return { event, error: message };
      }
      return handler.concerns?.(message as never) === false
        ? undefined
        : { event, message, effect: handler.effect, span: () => spanOf(consumer, event) };
    },
  };
}

/** In the trace that published the event, with the attributes of OpenTelemetry's messaging conventions. */
function spanOf(consumer: string, { id, type, tenant, aggregate, time, extensions }: BusEvent): SpanOptions {
  const attributes = {
    "messaging.operation.type": "process",
    "messaging.destination.name": type,
    "messaging.consumer.group.name": consumer,
    "messaging.message.id": id,
    "docket.tenant": tenant,
    "docket.aggregate": aggregate,
  };
  return { kind: SpanKind.CONSUMER, attributes, ...causedBy(extensions, Date.now() - time.getTime()) };
}

function messageOf(schema: DescMessage, event: BusEvent): object | Error {
  try {
    return fromBinary(schema, event.data);
  } catch (error) {
    return new Error(`not a ${event.type}`, { cause: error });
  }
}
