import type { ServiceImpl } from "@connectrpc/connect";
import type { LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { readList } from "../../runtime/api/list.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { LogisticsContext } from "../context.ts";
import { orderIdOf, toShipmentMessage } from "../messages.ts";
import { listShipments as selectShipments, shipmentList } from "../store/list-shipments.ts";

/** Lists the shipments of an order, or of all orders with `orders/-`, newest first. */
export function listShipments({ db }: LogisticsContext): ServiceImpl<typeof LogisticsService>["listShipments"] {
  return async (request, call) => {
    const { tenant } = principalOf(call);
    const { parent } = request;
    const orderId = parent === "orders/-" ? undefined : orderIdOf(parent);
    const { rows, nextPageToken } = await readList(shipmentList, {
      db,
      call,
      request,
      scope: [tenant, parent],
      read: (reads, page) => selectShipments(reads, { tenant, orderId }, page),
    });
    return { shipments: rows.map(toShipmentMessage), nextPageToken };
  };
}
