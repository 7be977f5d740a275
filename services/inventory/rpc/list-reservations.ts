import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { decodePageToken, pageSizeOf } from "../../runtime/api/page-token.ts";
import { LINE_BYTES, readPage } from "../../runtime/api/read-page.ts";
import { readsFor } from "../../runtime/api/reads-for.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { InventoryContext } from "../context.ts";
import { toReservationMessage } from "../messages.ts";
import { listReservationsAfter, reservationPageKeys } from "../store/list-reservations.ts";

export function listReservations({ db }: InventoryContext): ServiceImpl<typeof InventoryService>["listReservations"] {
  return async ({ filter, pageSize, pageToken }, call) => {
    const { tenant } = principalOf(call);
    const query = ["ListReservations", tenant, filter];
    const reads = readsFor(db, call);
    const { rows, nextPageToken } = await readPage({
      size: pageSizeOf(pageSize),
      query,
      after: decodePageToken(pageToken, query, ["integer", "text"]),
      keysOf: reservationPageKeys,
      bytesOf: ({ lines }) => 400 + lines.length * LINE_BYTES,
      read: (after, limit) => listReservationsAfter(reads, db.dialect, tenant, { filter, after, limit }),
    });
    return {
      reservations: rows.map(toReservationMessage),
      nextPageToken,
    };
  };
}
