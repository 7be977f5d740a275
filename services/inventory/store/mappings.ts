import type { Selectable } from "kysely";
import { defineMapping } from "../../runtime/commands/mapping.ts";
import { defineTable } from "../../runtime/commands/table.ts";
import type { ItemsTable, ReservationLinesTable, ReservationsTable, StockMovementsTable } from "../db/schema.ts";
import type { StoredItem } from "../domain/item.ts";
import type { ReservationValue } from "../domain/reservation.ts";
import type { StoredMovement } from "../domain/stock-move.ts";
import { toItem, writePrices } from "./item-rows.ts";
import { toMovement } from "./ledger.ts";
import { toReservation } from "./reservation-rows.ts";

/** Mappings by which commands read and write the inventory service's aggregates. */

type ItemKey = readonly [tenant: string, sku: string];
type MovementKey = readonly [tenant: string, sku: string, sequence: number];
type ReservationKey = readonly [tenant: string, id: string];

export const items = defineMapping({
  root: defineTable<Selectable<ItemsTable>>({
    name: "items",
    key: ["tenant_id", "sku"],
    columns: [
      ...(["tenant_id", "sku", "title", "prices", "discontinued", "stock_on_hand", "stock_reserved"] as const),
      ...(["created_at", "updated_at", "version"] as const),
    ],
    version: "version",
  }),
  keyOf: ({ tenant, sku }: StoredItem): ItemKey => [tenant, sku],
  fromRows: toItem,
  toRow: (item) => ({
    tenant_id: item.tenant,
    sku: item.sku,
    title: item.title,
    prices: writePrices(item.prices),
    discontinued: item.discontinued ? 1 : 0,
    stock_on_hand: item.stock.onHand,
    stock_reserved: item.stock.reserved,
    created_at: item.createdAt,
    updated_at: item.updatedAt,
    version: item.version,
  }),
});

/** A ledger entry of one item. */
export interface ItemMovement extends StoredMovement {
  readonly tenant: string;
}

/** The ledger: entries are only inserted. */
export const movements = defineMapping({
  root: defineTable<Selectable<StockMovementsTable>>({
    name: "stock_movements",
    key: ["tenant_id", "sku", "sequence"],
    columns: [
      ...(["tenant_id", "sku", "sequence", "type", "on_hand_delta", "reserved_delta", "stock_on_hand"] as const),
      ...(["stock_reserved", "reservation_id", "reason", "actor", "created_at"] as const),
    ],
  }),
  keyOf: ({ tenant, sku, sequence }: ItemMovement): MovementKey => [tenant, sku, sequence],
  fromRows: (row): ItemMovement => ({ ...toMovement(row), tenant: row.tenant_id }),
  toRow: (it) => ({
    tenant_id: it.tenant,
    sku: it.sku,
    sequence: it.sequence,
    type: it.type,
    on_hand_delta: it.onHandDelta,
    reserved_delta: it.reservedDelta,
    stock_on_hand: it.onHand,
    stock_reserved: it.reserved,
    reservation_id: it.reservation ?? null,
    reason: it.reason,
    actor: it.actor,
    created_at: it.createdAt,
  }),
});

export const reservations = defineMapping({
  root: defineTable<Selectable<ReservationsTable>>({
    name: "reservations",
    key: ["tenant_id", "id"],
    columns: ["tenant_id", "id", "order_name", "state", "expires_at", "revision", "created_at", "updated_at"],
  }),
  parts: {
    lines: defineTable<Selectable<ReservationLinesTable>>({
      name: "reservation_lines",
      key: ["tenant_id", "reservation_id", "sku"],
      columns: ["tenant_id", "reservation_id", "sku", "quantity", "consumed"],
    }),
  },
  keyOf: ({ tenant, id }: ReservationValue): ReservationKey => [tenant, id],
  fromRows: (row, { lines }) => toReservation(row, lines),
  toRow: (it) => ({
    tenant_id: it.tenant,
    id: it.id,
    order_name: it.order,
    state: it.state,
    expires_at: it.expiresAt ?? null,
    revision: it.revision,
    created_at: it.createdAt,
    updated_at: it.updatedAt,
  }),
  toParts: ({ tenant, id, lines }) => ({
    lines: lines.map(({ sku, quantity, consumed }) => ({
      tenant_id: tenant,
      reservation_id: id,
      ...{ sku, quantity, consumed },
    })),
  }),
});
