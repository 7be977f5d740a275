/** A message that a consumer has handled. */
export interface InboxMessagesTable {
  consumer: string;
  message_id: string;
  /** Epoch milliseconds by the database's clock, as are all. */
  received_at: number;
}

/** A message that a consumer gave up. */
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
  /** When it was handled after all; null until then. */
  replayed_at: number | null;
}

/** To be part of the schema type of every service that consumes. */
export interface InboxTables {
  inbox_messages: InboxMessagesTable;
  dead_letters: DeadLettersTable;
}
