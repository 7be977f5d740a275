import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { decodePageToken, pageOf, pageSizeOf } from "../../runtime/api/page-token.ts";
import { readsFor } from "../../runtime/api/reads-for.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { InventoryContext } from "../context.ts";
import { itemNotFound } from "../errors.ts";
import { skuOf, toMovementMessage } from "../messages.ts";
import { findItem } from "../store/items.ts";
import { listMovements } from "../store/ledger.ts";

const DEFAULT_PAGE_SIZE = 100;

/** Lists an item's ledger, newest entry first. */
export function listStockMovements({
  db,
}: InventoryContext): ServiceImpl<typeof InventoryService>["listStockMovements"] {
  return async ({ parent, pageSize, pageToken }, call) => {
    const { tenant } = principalOf(call);
    const sku = skuOf(parent);
    const query = ["ListStockMovements", tenant, parent];
    const limit = pageSizeOf(pageSize || DEFAULT_PAGE_SIZE);
    const after = decodePageToken(pageToken, query, ["integer"]);
    if ((await findItem(db.kysely, tenant, sku)) === undefined) {
      throw itemNotFound(sku);
    }
    const page = { before: after && Number(after[0]), limit: limit + 1 };
    const found = await listMovements(readsFor(db, call), tenant, sku, page);
    const { rows, nextPageToken } = pageOf(found, limit, query, ({ sequence }) => [sequence]);
    return {
      movements: rows.map(toMovementMessage),
      nextPageToken,
    };
  };
}
