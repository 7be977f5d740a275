import type { ServiceImpl } from "@connectrpc/connect";
import {
  type CloseShipmentRequest,
  LogisticsService,
  CloseShipmentRequest_Outcome as Outcome,
} from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { type FieldViolation, invalidArgument } from "../../runtime/errors.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import { idempotent } from "../../runtime/idempotency/idempotent.ts";
import { closeShipment as close } from "../close-shipment.ts";
import type { LogisticsContext } from "../context.ts";
import { closing, type StoredShipment } from "../domain/shipment.ts";
import { notClosable, shipmentNotFound } from "../errors.ts";
import { shipmentKeyOf, toShipmentMessage } from "../messages.ts";
import { lockOrder, raiseFence } from "../store/order-shipping.ts";
import { findShipment, lockShipment } from "../store/shipments.ts";

/**
 * Closes a shipment as lost or returned, under the order's lock. This changes which units can be shipped, so a
 * concurrent CreateShipment starts over.
 */
export function closeShipment(ctx: LogisticsContext): ServiceImpl<typeof LogisticsService>["closeShipment"] {
  const { db, clock } = ctx;
  const method = LogisticsService.method.closeShipment;
  return async (request, call) => {
    const { tenant } = principalOf(call);
    const key = shipmentKeyOf(tenant, request.name);
    const as = request.outcome === Outcome.LOST ? "LOST" : "RETURNED";
    const mutation = { tenant, method, requestId: idempotencyKeyOf(request, call), request, clock };
    return idempotent(db, mutation, async (trx) => {
      const order = await lockOrder(trx, db.dialect, key);
      const found = await findShipment(trx, key);
      const shipment = found && (await lockShipment(trx, db.dialect, found.id));
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
      await raiseFence(trx, key, order);
      return toShipmentMessage(await close(ctx, trx, shipment, { as, writtenOff, note: request.note }));
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
