import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Item,
  ItemSchema,
  type Reservation,
  ReservationSchema,
  Reservation_State as State,
  type StockMovement,
  StockMovementSchema,
  StockMovementType,
} from "../../gen/docket/inventory/v1/inventory_pb.js";
import { etagOf } from "../runtime/api/etag.ts";
import { formatName } from "../runtime/api/resource-name.ts";
import { toMoney } from "../runtime/values/money.ts";
import { available, type StoredItem } from "./domain/item.ts";
import type { ReservationValue } from "./domain/reservation.ts";
import type { StoredMovement } from "./domain/stock-move.ts";

/** Converts a stored item to its API message. */
export function toItemMessage(item: StoredItem): Item {
  return create(ItemSchema, {
    name: itemName(item.sku),
    sku: item.sku,
    title: item.title,
    prices: item.prices.map(toMoney),
    discontinued: item.discontinued,
    stockOnHand: item.stock.onHand,
    stockReserved: item.stock.reserved,
    stockAvailable: available(item.stock),
    createTime: timestampFromMs(item.createdAt),
    updateTime: timestampFromMs(item.updatedAt),
    etag: etagOf(item.version),
  });
}

/** Converts a ledger entry to its API message. */
export function toMovementMessage(movement: StoredMovement): StockMovement {
  return create(StockMovementSchema, {
    name: formatName("items/{item}/movements/{movement}", { item: movement.sku, movement: `${movement.sequence}` }),
    type: StockMovementType[movement.type],
    onHandDelta: movement.onHandDelta,
    reservedDelta: movement.reservedDelta,
    stockOnHand: movement.onHand,
    stockReserved: movement.reserved,
    reservation: movement.reservation === undefined ? "" : reservationName(movement.reservation),
    reason: movement.reason,
    actor: movement.actor,
    createTime: timestampFromMs(movement.createdAt),
  });
}

/** Converts a stored reservation to its API message. */
export function toReservationMessage(reservation: ReservationValue): Reservation {
  return create(ReservationSchema, {
    name: reservationName(reservation.id),
    order: reservation.order,
    state: State[reservation.state],
    items: reservation.lines.map(({ sku, quantity, consumed }) => ({ sku, quantity, quantityConsumed: consumed })),
    ...(reservation.expiresAt !== undefined && { expireTime: timestampFromMs(reservation.expiresAt) }),
    createTime: timestampFromMs(reservation.createdAt),
    updateTime: timestampFromMs(reservation.updatedAt),
  });
}

/** `items/{sku}`. */
export function itemName(sku: string): string {
  return formatName("items/{item}", { item: sku });
}

/** `reservations/{id}`. */
export function reservationName(id: string): string {
  return formatName("reservations/{reservation}", { reservation: id });
}

/** Returns the SKU of an item name, whose format protovalidate has checked. */
export function skuOf(itemName: string): string {
  return itemName.slice("items/".length);
}

/** Returns the id of a reservation name, whose format protovalidate has checked. */
export function reservationIdOf(reservationName: string): string {
  return reservationName.slice("reservations/".length);
}
