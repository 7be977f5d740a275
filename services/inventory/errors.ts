import type { ConnectError } from "@connectrpc/connect";
import { alreadyExists, failedPrecondition, notFound } from "../runtime/errors.ts";
import type { ReservationState } from "./domain/reservation.ts";
import type { Shortage } from "./domain/stock-move.ts";
import { itemName, reservationName } from "./messages.ts";

/** Error reasons of the inventory service. They are part of the API: clients may branch on them. */

export function itemNotFound(sku: string): ConnectError {
  return notFound("docket.dev/Item", itemName(sku));
}

export function reservationNotFound(id: string): ConnectError {
  return notFound("docket.dev/Reservation", reservationName(id));
}

export function itemExists(sku: string): ConnectError {
  return alreadyExists("ITEM_EXISTS", `${itemName(sku)} exists`, { sku });
}

/** Reports one violation per SKU in shortage. The metadata describes the first. */
export function outOfStock(shortages: readonly Shortage[]): ConnectError {
  const violations = shortages.map((shortage) => ({
    type: "OUT_OF_STOCK",
    subject: itemName(shortage.sku),
    description: `wanted ${shortage.wanted}, available ${shortage.available}`,
  }));
  const message = `out of stock: ${shortages.map(({ sku }, i) => `${sku} (${violations[i]?.description})`).join(", ")}`;
  const [first] = shortages;
  const metadata = first && { sku: first.sku, wanted: `${first.wanted}`, available: `${first.available}` };
  return failedPrecondition("OUT_OF_STOCK", message, violations, metadata);
}

/** AdjustStock would reduce the stock on hand below the reserved stock. */
export function stockReserved({ sku, wanted, available }: Shortage): ConnectError {
  const description = `only ${available} units are not reserved, ${wanted} were to be removed`;
  return failedPrecondition(
    "STOCK_RESERVED",
    `${itemName(sku)}: ${description}`,
    [{ type: "STOCK_RESERVED", subject: itemName(sku), description }],
    { sku, wanted: `${wanted}`, available: `${available}` },
  );
}

/** AdjustStock would exceed the maximum stock of an item. */
export function stockLimit(sku: string, most: bigint): ConnectError {
  const description = `an item may have ${most} units on hand`;
  return failedPrecondition(
    "STOCK_LIMIT",
    `${itemName(sku)}: ${description}`,
    [{ type: "STOCK_LIMIT", subject: itemName(sku), description }],
    { sku },
  );
}

/** The reservation's state does not allow the operation: RESERVATION_RELEASED, RESERVATION_EXPIRED, … */
export function reservationIs(state: ReservationState, id: string): ConnectError {
  const name = reservationName(id);
  const violation = { type: "RESERVATION_STATE", subject: name, description: `the reservation is ${state}` };
  return failedPrecondition(`RESERVATION_${state}`, `${name} is ${state}`, [violation], { state });
}

/** The name is taken by a reservation with other content. */
export function reservationDiffers(id: string): ConnectError {
  const name = reservationName(id);
  return alreadyExists("RESERVATION_EXISTS", `${name} already exists with other contents`, { reservation: name });
}
