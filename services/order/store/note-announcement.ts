import type { Command } from "../../runtime/commands/command.ts";
import type { Order } from "../domain/order.ts";
import type { OrderKey } from "./change-order.ts";
import { orders } from "./mappings.ts";

/**
 * A command that counts on an order that a shipment of it is about to be created, if the order accepts one; its version
 * stays. Returns the order; undefined if the tenant has none with this id.
 */
export function noteAnnouncement(
  { tenant, id }: OrderKey,
  accepts: (order: Order) => boolean,
): Command<Order | undefined> {
  return {
    keys: (need) => need.one(orders, [tenant, id]),
    decide(batch) {
      const order = batch.get(orders, [tenant, id]);
      if (order === undefined || !accepts(order)) {
        return order;
      }
      const announced = { ...order, shipmentAnnouncements: order.shipmentAnnouncements + 1 };
      batch.update(orders, announced);
      return announced;
    },
  };
}
