import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { CompiledQuery } from "kysely";
import type { BusEvent } from "../bus/event-bus.ts";
import { afterCommit } from "../db/after-commit.ts";
import { type AnyTransaction, tablesOf } from "../db/any-transaction.ts";
import { chunksOf } from "../db/chunks.ts";
import { isUniqueViolation } from "../db/sql.ts";
import { traceFields } from "../telemetry/tracing.ts";
import type { Clock } from "../values/clock.ts";
import type { Ids } from "../values/ids.ts";
import { lastSequences } from "./sequences.ts";
import { bucketOf } from "./tables.ts";
import { keyOf } from "./unsent.ts";

/** An event to publish. {@link outboxEvent} creates one from a message. */
export interface OutboxEvent {
  /** Globally unique; generated if absent. */
  readonly id?: string;
  readonly tenant: string;
  /** Resource name of the subject, for example `trips/01h…`. */
  readonly aggregate: string;
  /** The full name of the Protobuf message in `data`. */
  readonly type: string;
  /** The encoded message. */
  readonly data: Uint8Array;
  /** CloudEvents extension attributes, such as `traceparent` or `causationid`: names are lower-case letters and digits. */
  readonly extensions?: Readonly<Record<string, string>>;
}

/**
 * Creates an event from a message.
 *
 * ```ts
 * outboxEvent(TripBookedSchema, create(TripBookedSchema, { trip }), { tenant, aggregate: trip.name })
 * ```
 */
export function outboxEvent<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  attributes: Omit<OutboxEvent, "type" | "data">,
): OutboxEvent {
  return { ...attributes, type: schema.typeName, data: toBinary(schema, message) };
}

/** Publishes a service's events. */
export interface Outbox {
  /**
   * Writes the events in the caller's transaction, with the next sequence numbers of their aggregates: they are
   * published if and only if the transaction commits. Two statements for any number of events. They carry the active
   * trace. This process's relay gets them in memory after the commit.
   *
   * Sequences of an aggregate are unique and without gaps, even under concurrent transactions.
   *
   * ```ts
   * await db.transaction(async (trx) => {
   *   await insertTrip(trx, trip);
   *   await outbox.publish(trx, [tripBooked(trip)]);
   * });
   * ```
   */
  publish(trx: AnyTransaction, events: readonly OutboxEvent[]): Promise<void>;
  /** Calls the listener with the events of each transaction that has committed; used by the relay. */
  onCommitted(listener: (events: readonly BusEvent[]) => void): void;
}

export interface OutboxOptions {
  /** CloudEvents' `source` of every event, for example `docket/trips`. */
  readonly source: string;
  readonly ids: Ids;
  readonly clock: Clock;
}

/** Creates the outbox of a service. Its tables come from `migrations.ts`; `createOutboxRelay` sends its events. */
export function createOutbox({ source, ids, clock }: OutboxOptions): Outbox {
  const listeners: ((events: readonly BusEvent[]) => void)[] = [];
  return {
    async publish(trx, events) {
      if (events.length === 0) {
        return;
      }
      const time = clock.now();
      const rows = events.map((event): NewEvent => {
        const { id = ids.next(), extensions = {}, ...rest } = inActiveTrace(event);
        return { ...rest, id, source, time, extensions };
      });
      const published: BusEvent[] = [];
      for (const chunk of chunksOf(rows, { maxItems: ROWS_PER_INSERT, sizeOf: ({ data }) => data.length })) {
        published.push(...(await insertNext(trx, chunk)));
      }
      afterCommit(trx, () => {
        for (const listener of listeners) {
          listener(published);
        }
      });
    },
    onCommitted(listener) {
      listeners.push(listener);
    },
  };
}

/** The event with the fields of the active trace, of which its own take precedence. */
export function inActiveTrace(event: OutboxEvent): OutboxEvent {
  const trace = traceFields();
  return "traceparent" in trace ? { ...event, extensions: { ...trace, ...event.extensions } } : event;
}

type NewEvent = Omit<BusEvent, "sequence">;

/** SQLite compiles a compound SELECT of at most 500 terms. */
const ROWS_PER_INSERT = 250;

/**
 * How often a sequence number may be lost to another transaction before it is an error. Each loss is another's commit.
 */
const MAX_RACES = 100;

/**
 * Inserts the events with the next numbers of their aggregates. If an uncommitted transaction has taken a number, the
 * key makes this one wait and then take the next: no lock is needed and no number is lost.
 */
async function insertNext(trx: AnyTransaction, events: readonly NewEvent[]): Promise<BusEvent[]> {
  const aggregates = [...new Map(events.map((event) => [keyOf(event), event])).values()];
  for (let race = 1; ; race++) {
    const last = await lastSequences(trx, aggregates);
    const taken = new Map(aggregates.map((aggregate, at) => [keyOf(aggregate), last[at] ?? 0]));
    const numbered = events.map((event): BusEvent => {
      const sequence = (taken.get(keyOf(event)) ?? 0) + 1;
      taken.set(keyOf(event), sequence);
      return { ...event, sequence };
    });
    try {
      await tablesOf(trx).executeQuery(CompiledQuery.raw(insertText(numbered.length), numbered.flatMap(columnsOf)));
      return numbered;
    } catch (error) {
      if (!isUniqueViolation(error) || race >= MAX_RACES) {
        throw error;
      }
    }
  }
}

function columnsOf(event: BusEvent): unknown[] {
  const { tenant, aggregate, sequence, id, type, source, time, data, extensions } = event;
  const written = Object.keys(extensions).length === 0 ? null : JSON.stringify(extensions);
  return [tenant, aggregate, sequence, id, type, source, time.getTime(), data, written, bucketOf(tenant, aggregate)];
}

const insertTexts: string[] = [];

/** The statement for a number of rows; built once. */
function insertText(rows: number): string {
  insertTexts[rows] ??= `
    insert into outbox_messages
      (tenant_id, aggregate, sequence, id, type, source, published_at, data, extensions, bucket)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)${", (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)".repeat(rows - 1)}`;
  return insertTexts[rows];
}
