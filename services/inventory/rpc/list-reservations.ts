import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { readList } from "../../runtime/api/list.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { InventoryContext } from "../context.ts";
import { toReservationMessage } from "../messages.ts";
import { reservationList, listReservations as selectReservations } from "../store/list-reservations.ts";

export function listReservations({ db }: InventoryContext): ServiceImpl<typeof InventoryService>["listReservations"] {
  return async (request, call) => {
    const { tenant } = principalOf(call);
    const { rows, nextPageToken } = await readList(reservationList, {
      db,
      call,
      request,
      scope: [tenant],
      read: (reads, page) => selectReservations(reads, tenant, page),
    });
    return { reservations: rows.map(toReservationMessage), nextPageToken };
  };
}
