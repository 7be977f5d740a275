import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { SpanKind } from "@opentelemetry/api";
import type { Transaction } from "kysely";
import type { BusEvent } from "../bus/event-bus.ts";
import { causedBy, inSpan, type SpanOptions } from "../telemetry/tracing.ts";

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

/** A decoded event. */
export interface Handled<DB> {
  readonly event: BusEvent;
  /** Applies the effect. */
  handle(trx: Transaction<DB>): Promise<void>;
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
        : {
            event,
            handle: (trx) =>
              inSpan(`process ${event.type}`, spanOf(consumer, event), () =>
                handler.handle(trx, message as never, event),
              ),
          };
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
