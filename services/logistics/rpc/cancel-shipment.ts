import type { ServiceImpl } from "@connectrpc/connect";
import { LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { executeOnce } from "../../runtime/idempotency/execute-once.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import { type IdempotentCall, storedResponse } from "../../runtime/idempotency/idempotent-call.ts";
import type { LogisticsContext } from "../context.ts";
import { cancellation } from "../domain/shipment.ts";
import { shipmentNotFound, shipmentUnderWay } from "../errors.ts";
import { shipmentKeyOf, toShipmentMessage } from "../messages.ts";
import { shipments } from "../store/mappings.ts";
import { findShipment } from "../store/shipments.ts";
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
  const { db, commands, clock } = ctx;
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
    const id = [tenant, found.id] as const;
    await commands.execute(
      {
        keys: (need) => need.one(shipments, id),
        decide(batch) {
          const shipment = batch.get(shipments, id);
          if (shipment && cancellation(shipment) === "possible") {
            requestCancellation(ctx, batch, shipment);
          }
        },
      },
      { tenant },
    );
    await untilCancellationSettled(ctx, found.id, call.signal);

    return executeOnce(commands, mutation, {
      keys: (need) => need.one(shipments, id),
      decide(batch) {
        const shipment = batch.get(shipments, id);
        if (shipment === undefined || cancellation(shipment) !== "cancelled") {
          throw shipmentUnderWay([shipment ?? found]);
        }
        return toShipmentMessage(shipment);
      },
    });
  };
}
