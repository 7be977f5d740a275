import type { Reservation } from "../../../gen/docket/inventory/v1/inventory_pb.js";
import type { OrderClients } from "../context.ts";
import { type Order, reservationName } from "../domain/order.ts";

type Inventory = ReturnType<OrderClients["inventory"]["for"]>;

/**
 * Resizes the order's reservation to all units that have left or are to leave the warehouse: those not cancelled, plus
 * the units of closed shipments, by SKU. Idempotent and safe if delayed, as later calls have greater revisions.
 *
 * @param giveBackOnly only shrink the reservation: the units of a lost shipment are not needed until they are shipped
 *   again
 */
export async function resizeReservation(
  inventory: Inventory,
  order: Order,
  closed: ReadonlyMap<string, bigint>,
  { giveBackOnly = false, signal }: { readonly giveBackOnly?: boolean; readonly signal?: AbortSignal } = {},
): Promise<Reservation> {
  const needed = new Map(closed);
  for (const { sku, quantity, quantityCancelled } of order.lines) {
    needed.set(sku, (needed.get(sku) ?? 0n) + BigInt(quantity - quantityCancelled));
  }
  return inventory.resizeReservation(
    {
      name: reservationName(order.id, order.reservationAttempt),
      items: [...needed].map(([sku, quantity]) => ({ sku, quantity })),
      revision: BigInt(order.version + order.shipmentAnnouncements),
      giveBackOnly,
    },
    signal && { signal },
  );
}
