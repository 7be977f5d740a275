import type { ServiceImpl } from "@connectrpc/connect";
import {
  type CloseShipmentRequest,
  LogisticsService,
  CloseShipmentRequest_Outcome as Outcome,
} from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { type FieldViolation, invalidArgument } from "../../runtime/errors.ts";
import { executeOnce } from "../../runtime/idempotency/execute-once.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import { closeShipment as close } from "../close-shipment.ts";
import type { LogisticsContext } from "../context.ts";
import { closing, type StoredShipment } from "../domain/shipment.ts";
import { notClosable, shipmentNotFound } from "../errors.ts";
import { shipmentKeyOf, toShipmentMessage } from "../messages.ts";
import { orderShipping, shipments } from "../store/mappings.ts";
import { raiseFence } from "../store/order-shipping.ts";

/**
 * Closes a shipment as lost or returned, under the order's lock. This changes which units can be shipped, so a
 * concurrent CreateShipment starts over.
 */
export function closeShipment(ctx: LogisticsContext): ServiceImpl<typeof LogisticsService>["closeShipment"] {
  const { commands, clock } = ctx;
  const method = LogisticsService.method.closeShipment;
  return async (request, call) => {
    const { tenant } = principalOf(call);
    const key = shipmentKeyOf(tenant, request.name);
    const name = [tenant, key.orderId, key.number];
    const as = request.outcome === Outcome.LOST ? "LOST" : "RETURNED";
    const mutation = { tenant, method, requestId: idempotencyKeyOf(request, call), request, clock };
    return executeOnce(commands, mutation, {
      keys(need) {
        need.one(orderShipping, [tenant, key.orderId]);
        need.by(shipments, "name", name);
      },
      decide(batch) {
        const shipment = batch.find(shipments, "name", name);
        if (shipment === undefined) {
          throw shipmentNotFound(request.name);
        }
        const writtenOff = readWrittenOff(request, shipment);
        const possible = closing(shipment, as);
        if (possible === "closed") {
          return toShipmentMessage(shipment);
        }
        if (possible !== "possible") {
          throw notClosable(shipment, possible);
        }
        raiseFence(batch, key);
        return toShipmentMessage(close(ctx, batch, shipment, { as, writtenOff, note: request.note }));
      },
    });
  };
}

/** Validates the written-off units and returns them by line item id. */
function readWrittenOff({ outcome, writtenOff }: CloseShipmentRequest, { lines }: StoredShipment) {
  const units = new Map<string, number>();
  const violations: FieldViolation[] = [];
  for (const [i, { lineItemId, quantity }] of writtenOff.entries()) {
    const at = `written_off[${i}]`;
    const shipped = lines.find((line) => line.lineItemId === lineItemId)?.quantity ?? 0;
    if (units.has(lineItemId)) {
      violations.push({ field: `${at}.line_item_id`, description: "repeats a line" });
    } else if (quantity > shipped) {
      violations.push({ field: `${at}.quantity`, description: `the shipment holds ${shipped} units of the line` });
    }
    units.set(lineItemId, quantity);
  }
  if (outcome === Outcome.LOST && writtenOff.length > 0) {
    violations.push({ field: "written_off", description: "must be empty: no units of a lost shipment are returned" });
  }
  if (violations.length > 0) {
    throw invalidArgument(violations);
  }
  return units;
}
