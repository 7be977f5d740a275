import type { ServiceImpl } from "@connectrpc/connect";
import type { LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import type { LogisticsContext } from "../context.ts";
import { shipmentNotFound } from "../errors.ts";
import { shipmentKeyOf, toShipmentMessage } from "../messages.ts";
import { findShipment } from "../store/shipments.ts";

export function getShipment({ db }: LogisticsContext): ServiceImpl<typeof LogisticsService>["getShipment"] {
  return async ({ name }, call) => {
    const shipment = await findShipment(db.kysely, shipmentKeyOf(principalOf(call).tenant, name));
    if (shipment === undefined) {
      throw shipmentNotFound(name);
    }
    return toShipmentMessage(shipment);
  };
}
