import type { IdempotencyTables } from "../../runtime/idempotency/tables.ts";
import type { InboxTables } from "../../runtime/inbox/tables.ts";
import type { OutboxTables } from "../../runtime/outbox/tables.ts";
import type { ReservationState } from "../domain/reservation.ts";
import type { MovementType } from "../domain/stock-move.ts";

/** Times are epoch milliseconds. Integers are read as bigint beyond 2^53, hence `number | bigint` for units. */
export interface ItemsTable {
  tenant_id: string;
  sku: string;
  title: string;
  /** JSON, `{"EUR":"1999"}`: minor units by currency. Read and written as a whole; not searchable. */
  prices: string;
  discontinued: number;
  stock_on_hand: number | bigint;
  stock_reserved: number | bigint;
  created_at: number;
  updated_at: number;
  version: number;
}

/** The stock ledger. `sequence` is the item's version after the change, so each change has one entry. */
export interface StockMovementsTable {
  tenant_id: string;
  sku: string;
  sequence: number;
  type: MovementType;
  on_hand_delta: number | bigint;
  reserved_delta: number | bigint;
  stock_on_hand: number | bigint;
  stock_reserved: number | bigint;
  reservation_id: string | null;
  reason: string;
  actor: string;
  created_at: number;
}

export interface ReservationsTable {
  tenant_id: string;
  id: string;
  /** The order's resource name; empty if released before it was reserved. */
  order_name: string;
  state: ReservationState;
  /** By the database's clock; null unless HELD or EXPIRED. */
  expires_at: number | null;
  /** Revision of the last resize request; 0 if none. */
  revision: number;
  created_at: number;
  updated_at: number;
}

export interface ReservationLinesTable {
  tenant_id: string;
  reservation_id: string;
  sku: string;
  quantity: number | bigint;
  consumed: number | bigint;
}

/** All tables of the inventory service's database. */
export interface InventoryDatabase extends IdempotencyTables, InboxTables, OutboxTables {
  items: ItemsTable;
  stock_movements: StockMovementsTable;
  reservations: ReservationsTable;
  reservation_lines: ReservationLinesTable;
}
