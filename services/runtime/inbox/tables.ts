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

/** Part of the schema type of every service with consumers. */
export interface InboxTables {
  inbox_messages: InboxMessagesTable;
  dead_letters: DeadLettersTable;
}
