import type { Item, Reservation } from "../../../../gen/docket/inventory/v1/inventory_pb.js";
import { Reservation_State } from "../../../../gen/docket/inventory/v1/inventory_pb.js";
import type { Shipment } from "../../../../gen/docket/logistics/v1/logistics_pb.js";
import { type Order, Order_State } from "../../../../gen/docket/order/v1/order_pb.js";
import type { Docket } from "../../../../web-client/sdk/docket.ts";
import { paged } from "../../../../web-client/sdk/pages.ts";
import { reached } from "../shop.ts";
import { orderOf } from "./order-of.ts";

const { HELD, COMMITTED, CONSUMED } = Reservation_State;

/** Allowed reservation states by order state. Other order states allow any. */
const expected: Partial<Record<Order_State, readonly Reservation_State[]>> = {
  [Order_State.AWAITING_PAYMENT]: [HELD],
  [Order_State.CONFIRMED]: [COMMITTED],
  [Order_State.FULFILLING]: [COMMITTED, CONSUMED],
  [Order_State.COMPLETED]: [CONSUMED],
  [Order_State.CANCELLED]: [],
  [Order_State.EXPIRED]: [],
};

/**
 * Checks that each item's ledger adds up to its stock, and that reserved units belong to reservations of active orders.
 */
export async function auditStock(
  docket: Docket,
  orders: readonly Order[],
  shipments: readonly Shipment[],
): Promise<string[]> {
  const items = await Array.fromAsync(docket.listItems({ pageSize: 1000 }));
  const reservations = await Array.fromAsync(
    paged(
      (pageToken) => docket.items.listReservations({ pageSize: 1000, pageToken }),
      (page) => page.reservations,
    ),
  );
  const live = reservations.filter(({ state }) => [HELD, COMMITTED, CONSUMED].includes(state));
  const byItem = await Promise.all(items.map((item) => auditItem(docket, item, live)));
  const byOrder = Map.groupBy(live, ({ order }) => order);
  const closed = Map.groupBy(
    shipments.filter(({ closeTime }) => closeTime),
    orderOf,
  );
  const ofOrder = (order: Order) => auditOrder(order, byOrder.get(order.name) ?? [], closed.get(order.name) ?? []);
  return [...byItem.flat(), ...orders.flatMap(ofOrder)];
}

async function auditItem(docket: Docket, item: Item, live: readonly Reservation[]): Promise<string[]> {
  const movements = await Array.fromAsync(
    paged(
      (pageToken) => docket.items.listStockMovements({ parent: item.name, pageSize: 1000, pageToken }),
      (page) => page.movements,
    ),
  );
  const onHand = movements.reduce((sum, { onHandDelta }) => sum + onHandDelta, 0n);
  const reserved = movements.reduce((sum, { reservedDelta }) => sum + reservedDelta, 0n);
  const held = live
    .flatMap(({ items }) => items)
    .filter(({ sku }) => sku === item.sku)
    .reduce((sum, { quantity, quantityConsumed }) => sum + quantity - quantityConsumed, 0n);
  const rows = [
    ["on hand", item.stockOnHand, onHand],
    ["reserved", item.stockReserved, reserved],
    ["reserved by reservations", item.stockReserved, held],
    ["available", item.stockAvailable, item.stockOnHand - item.stockReserved],
  ] as const;
  const problems = rows
    .filter(([, stored, summed]) => stored !== summed)
    .map(([what, stored, summed]) => `${item.sku}: ${what} ${stored}, its ledger says ${summed}`);
  return item.stockOnHand < 0n || item.stockReserved < 0n || item.stockAvailable < 0n
    ? [...problems, `${item.sku} is oversold: ${item.stockOnHand} on hand, ${item.stockReserved} reserved`]
    : problems;
}

/**
 * What an order has reserved in all: its units that were not cancelled, and up to as many again as were in closed shipments,
 * which are reserved once more when they are shipped again. Of an order that is over only these are left.
 */
function auditOrder(order: Order, live: readonly Reservation[], closed: readonly Shipment[]): string[] {
  const states = expected[reached(order)];
  if (states === undefined) {
    return [];
  }
  const isOver = states.length === 0;
  const consumed = isOver ? [CONSUMED] : [COMMITTED, CONSUMED];
  const allowed = closed.length > 0 ? consumed : states;
  const wanted = order.lineItems.reduce((sum, line) => sum + BigInt(line.quantity - line.quantityCancelled), 0n);
  const again = closed.flatMap(({ lines }) => lines).reduce((sum, { quantity }) => sum + BigInt(quantity), 0n);
  const units = live.flatMap(({ items }) => items).reduce((sum, { quantity }) => sum + quantity, 0n);
  const names = live.map(({ name, state }) => `${name} ${Reservation_State[state]}`).join(", ") || "nothing";
  const adds = isOver ? units <= again : units >= wanted && units <= wanted + again;
  return live.every(({ state }) => allowed.includes(state)) && adds
    ? []
    : [`${order.name} is ${Order_State[order.state]} and has reserved ${names} (${units} of ${wanted} units)`];
}
