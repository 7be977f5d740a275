import type { BusEvent } from "../bus/event-bus.ts";
import type { ParkedEventsTable } from "./tables.ts";

/** The columns that keep an event. */
export type EventColumns = Omit<ParkedEventsTable, "consumer">;

export function toColumns(event: BusEvent): EventColumns {
  return {
    tenant_id: event.tenant,
    aggregate: event.aggregate,
    sequence: event.sequence,
    source: event.source,
    message_id: event.id,
    event_type: event.type,
    published_at: event.time.getTime(),
    data: event.data,
    extensions: Object.keys(event.extensions).length === 0 ? null : JSON.stringify(event.extensions),
  };
}

export function fromColumns(row: EventColumns): BusEvent {
  return {
    id: row.message_id,
    type: row.event_type,
    source: row.source,
    aggregate: row.aggregate,
    sequence: row.sequence,
    tenant: row.tenant_id,
    time: new Date(row.published_at),
    data: row.data,
    extensions: row.extensions === null ? {} : (JSON.parse(row.extensions) as Record<string, string>),
  };
}
