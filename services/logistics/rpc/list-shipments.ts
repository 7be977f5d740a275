import type { ServiceImpl } from "@connectrpc/connect";
import type { LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { decodePageToken, pageSizeOf } from "../../runtime/api/page-token.ts";
import { LINE_BYTES, readPage } from "../../runtime/api/read-page.ts";
import { readsFor } from "../../runtime/api/reads-for.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { LogisticsContext } from "../context.ts";
import { orderIdOf, toShipmentMessage } from "../messages.ts";
import { listShipmentsAfter, shipmentPageKeys } from "../store/list-shipments.ts";

/** Lists the shipments of an order, or of all orders with `orders/-`, newest first. */
export function listShipments({ db }: LogisticsContext): ServiceImpl<typeof LogisticsService>["listShipments"] {
  return async ({ parent, filter, pageSize, pageToken }, call) => {
    const { tenant } = principalOf(call);
    const query = ["ListShipments", tenant, parent, filter];
    const orderId = parent === "orders/-" ? undefined : orderIdOf(parent);
    const reads = readsFor(db, call);
    const { rows, nextPageToken } = await readPage({
      size: pageSizeOf(pageSize),
      query,
      after: decodePageToken(pageToken, query, ["integer", "text"]),
      keysOf: shipmentPageKeys,
      bytesOf: ({ lines, events, labels }) =>
        800 + (lines.length + events.length) * LINE_BYTES + JSON.stringify(labels).length,
      read: (after, limit) => listShipmentsAfter(reads, db.dialect, tenant, { orderId, filter, after, limit }),
    });
    return {
      shipments: rows.map(toShipmentMessage),
      nextPageToken,
    };
  };
}
