import type { Reservation } from "../../../gen/docket/inventory/v1/inventory_pb.js";
import { type Order, reservationName } from "../domain/order.ts";
import type { OrderClients } from "../parts.ts";

type Inventory = ReturnType<OrderClients["inventory"]["for"]>;

/**
 * Makes the order's reservation hold, in all, what of the order has left or is to leave the warehouse: what was not
 * cancelled, and once more the units of closed shipments, by SKU. The same however often and late it is called, as later
 * calls have greater revisions.
 *
 * @param giveBackOnly reserve nothing more: what a lost shipment held is not needed before it is shipped again
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
