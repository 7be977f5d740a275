/** A handled message. */
export interface InboxMessagesTable {
  consumer: string;
  message_id: string;
  /** Epoch milliseconds by the database's clock, as are all times. */
  received_at: number;
}

/** A message whose consumer failed permanently. */
export interface DeadLettersTable {
  id: string;
  tenant_id: string;
  consumer: string;
  message_id: string;
  event_type: string;
  source: string;
  aggregate: string;
  sequence: number;
  published_at: number;
  data: Uint8Array;
  extensions: string | null;
  error: string;
  attempts: number;
  created_at: number;
  /** When it was replayed successfully; null until then. */
  replayed_at: number | null;
}

/** An aggregate whose first parked event failed. The events behind it wait, so that their order is kept. */
export interface ParkedAggregatesTable {
  tenant_id: string;
  aggregate: string;
  consumer: string;
  /** Failed attempts at its first event. */
  attempts: number;
  /** The error of the last attempt. */
  error: string;
  parked_at: number;
  /** When its events are handled again. */
  due_at: number;
}

/** An event of a parked aggregate. */
export interface ParkedEventsTable {
  tenant_id: string;
  aggregate: string;
  consumer: string;
  sequence: number;
  source: string;
  message_id: string;
  event_type: string;
  published_at: number;
  data: Uint8Array;
  extensions: string | null;
}

/** Part of the schema type of every service with consumers. */
export interface InboxTables {
  inbox_messages: InboxMessagesTable;
  inbox_parked: ParkedAggregatesTable;
  inbox_parked_events: ParkedEventsTable;
  dead_letters: DeadLettersTable;
}
