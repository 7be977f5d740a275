import { type ShipmentClosed, ShipmentClosedSchema } from "../../../gen/docket/logistics/v1/logistics_events_pb.js";
import type { Command } from "../../runtime/commands/command.ts";
import { type MessageHandler, onAsCommand } from "../../runtime/inbox/handlers.ts";
import type { InventoryContext } from "../context.ts";
import type { InventoryDatabase } from "../db/schema.ts";
import { sumPerSku } from "../domain/reservation.ts";
import { stockChanged } from "../events.ts";
import { items } from "../store/mappings.ts";
import { moveInBatch } from "../store/move-in-batch.ts";

/**
 * Handles ShipmentClosed: adds the restocked units of a returned shipment to the stock on hand, available to any order.
 */
export function onShipmentClosed({ clock }: InventoryContext): MessageHandler<InventoryDatabase> {
  return onAsCommand(ShipmentClosedSchema, async (_, received) =>
    received.map(({ message, event }) => restock(event.tenant, message, clock.now().getTime())),
  );
}

function restock(tenant: string, { shipment }: ShipmentClosed, nowMs: number): Command<void> {
  const back = (shipment?.lines ?? []).filter(({ quantityRestocked }) => quantityRestocked > 0);
  const units = sumPerSku(back.map(({ sku, quantityRestocked }) => ({ sku, quantity: BigInt(quantityRestocked) })));
  return {
    keys(need) {
      for (const { sku } of units) {
        need.one(items, [tenant, sku]);
      }
    },
    decide(batch) {
      const moves = units.map(({ sku, quantity }) => ({ sku, onHandDelta: quantity, reservedDelta: 0n }));
      const cause = { type: "RESTOCK", reason: shipment?.name ?? "", actor: "service:logistics" } as const;
      const moved = moveInBatch(batch, tenant, moves, cause, nowMs);
      if ("short" in moved) {
        throw new Error(`${shipment?.name} returned items that do not exist`);
      }
      moved.items.map(stockChanged).forEach(batch.publish);
    },
  };
}
