import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { CompiledQuery } from "kysely";
import { afterCommit } from "../db/after-commit.ts";
import { type AnyTransaction, tablesOf } from "../db/any-transaction.ts";
import { chunksOf } from "../db/chunks.ts";
import { isUniqueViolation } from "../db/sql.ts";
import { traceFields } from "../telemetry/tracing.ts";
import type { Clock } from "../values/clock.ts";
import type { Ids } from "../values/ids.ts";
import { bucketOf } from "./tables.ts";

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
   * published if and only if the transaction commits. One statement for any number of events. They carry the active
   * trace. Wakes this process's relay after the commit.
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
  /** Calls the listener after each commit of a transaction that published; used by the relay. */
  onCommitted(listener: () => void): void;
}

export interface OutboxOptions {
  /** CloudEvents' `source` of every event, for example `docket/trips`. */
  readonly source: string;
  readonly ids: Ids;
  readonly clock: Clock;
}

/** Creates the outbox of a service. Its tables come from `migrations.ts`; `createOutboxRelay` sends its events. */
export function createOutbox({ source, ids, clock }: OutboxOptions): Outbox {
  const listeners: (() => void)[] = [];
  const notify = () => {
    for (const listener of listeners) {
      listener();
    }
  };
  return {
    async publish(trx, events) {
      if (events.length === 0) {
        return;
      }
      const publishedAt = clock.now().getTime();
      const rows = events.map((event) => {
        const bucket = bucketOf(event.tenant, event.aggregate);
        return { ...inActiveTrace(event), id: event.id ?? ids.next(), source, publishedAt, bucket };
      });
      for (const chunk of chunksOf(rows, { maxItems: ROWS_PER_INSERT, sizeOf: ({ data }) => data.length })) {
        await insertNext(trx, chunk);
      }
      afterCommit(trx, notify);
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

interface NewRow extends Omit<OutboxEvent, "id"> {
  readonly id: string;
  readonly source: string;
  readonly publishedAt: number;
  readonly bucket: number;
}

/** SQLite compiles a compound SELECT of at most 500 terms. */
const ROWS_PER_INSERT = 250;

/**
 * How often a sequence number may be lost to another transaction before it is an error. Each loss is another's commit.
 */
const MAX_RACES = 100;

/**
 * Inserts the rows with the next numbers of their aggregates. If an uncommitted transaction has taken a number, the key
 * makes this one wait and then take the next: no lock is needed and no number is lost.
 */
async function insertNext(trx: AnyTransaction, rows: readonly NewRow[]): Promise<void> {
  const perAggregate = new Map<string, number>();
  const parameters = rows.flatMap(({ tenant, aggregate, id, type, source, publishedAt, data, extensions, bucket }) => {
    const key = `${tenant}\0${aggregate}`;
    const nth = (perAggregate.get(key) ?? 0) + 1;
    perAggregate.set(key, nth);
    const written = extensions === undefined ? null : JSON.stringify(extensions);
    return [tenant, aggregate, nth, id, type, source, publishedAt, data, written, bucket];
  });
  const insert = CompiledQuery.raw(insertText(rows.length), parameters);
  for (let race = 1; ; race++) {
    try {
      await tablesOf(trx).executeQuery(insert);
      return;
    } catch (error) {
      if (!isUniqueViolation(error) || race >= MAX_RACES) {
        throw error;
      }
    }
  }
}

const insertTexts: string[] = [];

/** The statement for a number of rows; built once. */
function insertText(rows: number): string {
  insertTexts[rows] ??= `
    insert into outbox_messages
      (tenant_id, aggregate, sequence, id, type, source, published_at, data, extensions, bucket)
    select tenant_id, aggregate,
      nth + coalesce((
        select max(sequence) from outbox_messages as published
        where published.tenant_id = fresh.tenant_id and published.aggregate = fresh.aggregate
      ), 0),
      id, type, source, published_at, data, extensions, bucket
    from (
      select ? as tenant_id, ? as aggregate, ? as nth, ? as id, ? as type, ? as source, ? as published_at, ? as data,
        ? as extensions, ? as bucket
      ${" union all select ?, ?, ?, ?, ?, ?, ?, ?, ?, ?".repeat(rows - 1)}
    ) as fresh`;
  return insertTexts[rows];
}
