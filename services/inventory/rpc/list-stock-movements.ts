import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { readList } from "../../runtime/api/list.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { InventoryContext } from "../context.ts";
import { itemNotFound } from "../errors.ts";
import { skuOf, toMovementMessage } from "../messages.ts";
import { findItem } from "../store/items.ts";
import { listMovements, movementList } from "../store/ledger.ts";

/** Lists an item's ledger, newest entry first. */
export function listStockMovements({
  db,
}: InventoryContext): ServiceImpl<typeof InventoryService>["listStockMovements"] {
  return async (request, call) => {
    const { tenant } = principalOf(call);
    const { parent } = request;
    const sku = skuOf(parent);
    const { rows, nextPageToken } = await readList(movementList, {
      db,
      call,
      request,
      scope: [tenant, parent],
      read: (reads, page) => listMovements(reads, tenant, sku, page),
    });
    if (rows.length === 0 && (await findItem(db.kysely, tenant, sku)) === undefined) {
      throw itemNotFound(sku);
    }
    return { movements: rows.map(toMovementMessage), nextPageToken };
  };
}
