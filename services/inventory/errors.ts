import type { ConnectError } from "@connectrpc/connect";
import { alreadyExists, failedPrecondition, notFound } from "../runtime/errors.ts";
import type { ReservationState } from "./domain/reservation.ts";
import type { Shortage } from "./domain/stock-move.ts";
import { itemName, reservationName } from "./messages.ts";

/** The reasons with which the inventory service refuses. Programs may branch on them. */

export function itemNotFound(sku: string): ConnectError {
  return notFound("docket.dev/Item", itemName(sku));
}

export function reservationNotFound(id: string): ConnectError {
  return notFound("docket.dev/Reservation", reservationName(id));
}

export function itemExists(sku: string): ConnectError {
  return alreadyExists("ITEM_EXISTS", `${itemName(sku)} exists`, { sku });
}

/** One violation per SKU that is short; the metadata tell of the first of them. */
export function outOfStock(shortages: readonly Shortage[]): ConnectError {
  const told = shortages.map((it) => ({
    type: "OUT_OF_STOCK",
    subject: itemName(it.sku),
    description: `wanted ${it.wanted}, available ${it.available}`,
  }));
  const message = `out of stock: ${shortages.map(({ sku }, i) => `${sku} (${told[i]?.description})`).join(", ")}`;
  const [first] = shortages;
  const metadata = first && { sku: first.sku, wanted: `${first.wanted}`, available: `${first.available}` };
  return failedPrecondition("OUT_OF_STOCK", message, told, metadata);
}

/** AdjustStock would leave less than is reserved. */
export function stockReserved({ sku, wanted, available }: Shortage): ConnectError {
  const description = `only ${available} units are not reserved, ${wanted} were to be taken`;
  return failedPrecondition(
    "STOCK_RESERVED",
    `${itemName(sku)}: ${description}`,
    [{ type: "STOCK_RESERVED", subject: itemName(sku), description }],
    { sku, wanted: `${wanted}`, available: `${available}` },
  );
}

/** AdjustStock would leave more than an item may have. */
export function stockLimit(sku: string, most: bigint): ConnectError {
  const description = `an item may have ${most} units on hand`;
  return failedPrecondition(
    "STOCK_LIMIT",
    `${itemName(sku)}: ${description}`,
    [{ type: "STOCK_LIMIT", subject: itemName(sku), description }],
    { sku },
  );
}

/** The reservation is in a state that does not allow what was asked: RESERVATION_RELEASED, RESERVATION_EXPIRED, … */
export function reservationIs(state: ReservationState, id: string): ConnectError {
  const name = reservationName(id);
  const violation = { type: "RESERVATION_STATE", subject: name, description: `the reservation is ${state}` };
  return failedPrecondition(`RESERVATION_${state}`, `${name} is ${state}`, [violation], { state });
}

/** The name was used to reserve something else. */
export function reservationDiffers(id: string): ConnectError {
  const name = reservationName(id);
  return alreadyExists("RESERVATION_EXISTS", `${name} holds something else`, { reservation: name });
}
