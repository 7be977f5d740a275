import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { decodePageToken, pageOf, pageSizeOf } from "../../runtime/page-token.ts";
import type { InventoryContext } from "../context.ts";
import { toReservationMessage } from "../messages.ts";
import { listReservationsAfter, reservationPageKeys } from "../store/list-reservations.ts";

export function listReservations({ db }: InventoryContext): ServiceImpl<typeof InventoryService>["listReservations"] {
  return async ({ filter, pageSize, pageToken }, context) => {
    const { tenant } = principalOf(context);
    const query = ["ListReservations", tenant, filter];
    const limit = pageSizeOf(pageSize);
    const after = decodePageToken(pageToken, query, ["integer", "text"]);
    const found = await listReservationsAfter(db.kysely, db.dialect, tenant, { filter, after, limit: limit + 1 });
    const { rows, nextPageToken } = pageOf(found, limit, query, reservationPageKeys);
    return {
      reservations: rows.map(toReservationMessage),
      nextPageToken,
    };
  };
}
