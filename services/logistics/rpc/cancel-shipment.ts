import type { ServiceImpl } from "@connectrpc/connect";
import { LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import { type IdempotentCall, idempotent, storedResponse } from "../../runtime/idempotency/idempotent.ts";
import type { LogisticsContext } from "../context.ts";
import { cancellation } from "../domain/shipment.ts";
import { shipmentNotFound, shipmentUnderWay } from "../errors.ts";
import { shipmentKeyOf, toShipmentMessage } from "../messages.ts";
import { findShipment, lockShipment } from "../store/shipments.ts";
import { requestCancellation } from "./cancellation/request-cancellation.ts";
import { untilCancellationSettled } from "./cancellation/until-settled.ts";

type Call = IdempotentCall<
  typeof LogisticsService.method.cancelShipment.input,
  typeof LogisticsService.method.cancelShipment.output
>;

/**
 * Cancels a shipment that has not been collected. Commits the request, calls the carrier, then commits its response.
 * After a crash in between, another process carries out the committed request.
 */
export function cancelShipment(ctx: LogisticsContext): ServiceImpl<typeof LogisticsService>["cancelShipment"] {
  const { db, clock } = ctx;
  const method = LogisticsService.method.cancelShipment;
  return async (request, call) => {
    const { tenant } = principalOf(call);
    const mutation: Call = { tenant, method, requestId: idempotencyKeyOf(request, call), request, clock };
    const stored = await storedResponse(db, mutation);
    if (stored) {
      return stored;
    }
    const found = await findShipment(db.kysely, shipmentKeyOf(tenant, request.name));
    if (found === undefined) {
      throw shipmentNotFound(request.name);
    }
    await db.transaction(async (trx) => {
      const shipment = await lockShipment(trx, db.dialect, found.id);
      if (shipment && cancellation(shipment) === "possible") {
        await requestCancellation(ctx, trx, shipment);
      }
    });
    await untilCancellationSettled(ctx, found.id, call.signal);

    return idempotent(db, mutation, async (trx) => {
      const shipment = await lockShipment(trx, db.dialect, found.id);
      if (shipment === undefined || cancellation(shipment) !== "cancelled") {
        throw shipmentUnderWay([shipment ?? found]);
      }
      return toShipmentMessage(shipment);
    });
  };
}
