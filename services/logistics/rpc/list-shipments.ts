import type { ServiceImpl } from "@connectrpc/connect";
import type { LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { decodePageToken, pageOf, pageSizeOf } from "../../runtime/page-token.ts";
import type { LogisticsContext } from "../context.ts";
import { orderIdOf, toShipmentMessage } from "../messages.ts";
import { listShipmentsAfter, shipmentPageKeys } from "../store/list-shipments.ts";

/** The shipments of an order, or of all with `orders/-`, the newest first. */
export function listShipments({ db }: LogisticsContext): ServiceImpl<typeof LogisticsService>["listShipments"] {
  return async ({ parent, filter, pageSize, pageToken }, context) => {
    const { tenant } = principalOf(context);
    const query = ["ListShipments", tenant, parent, filter];
    const limit = pageSizeOf(pageSize);
    const after = decodePageToken(pageToken, query, ["integer", "text"]);
    const orderId = parent === "orders/-" ? undefined : orderIdOf(parent);
    const page = { orderId, filter, after, limit: limit + 1 };
    const found = await listShipmentsAfter(db.kysely, db.dialect, tenant, page);
    const { rows, nextPageToken } = pageOf(found, limit, query, shipmentPageKeys);
    return {
      shipments: rows.map(toShipmentMessage),
      nextPageToken,
    };
  };
}
