import type { ServiceImpl } from "@connectrpc/connect";
import type { LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { consignmentOf, recordTrackingPoll } from "../carrier-tasks.ts";
import type { LogisticsContext } from "../context.ts";
import type { CarrierUpdate } from "../domain/tracking.ts";
import { carrierUnavailable, shipmentNotFound } from "../errors.ts";
import { shipmentKeyOf, toShipmentMessage } from "../messages.ts";
import { findShipment } from "../store/shipments.ts";

/** Polls the carrier immediately. A shipment that is not booked yet or was cancelled is returned unchanged. */
export function syncShipment(ctx: LogisticsContext): ServiceImpl<typeof LogisticsService>["syncShipment"] {
  const { db, carriers, timing } = ctx;
  return async ({ name }, call) => {
    const shipment = await findShipment(db.kysely, shipmentKeyOf(principalOf(call).tenant, name));
    if (shipment === undefined) {
      throw shipmentNotFound(name);
    }
    if (shipment.booking !== "BOOKED" || shipment.progress.decided) {
      return toShipmentMessage(shipment);
    }
    const signal = AbortSignal.any([call.signal, AbortSignal.timeout(timing.current.carrierTimeoutMs)]);
    let updates: readonly CarrierUpdate[];
    try {
      const carrier = carriers.get(shipment.carrier);
      if (carrier === undefined) {
        throw new Error(`the carrier ${shipment.carrier} is not configured`);
      }
      updates = await carrier.track(consignmentOf(shipment), signal);
    } catch (error) {
      throw carrierUnavailable(shipment.carrier, error);
    }
    return toShipmentMessage((await recordTrackingPoll(ctx, shipment, updates)) ?? shipment);
  };
}
