import type { ServiceImpl } from "@connectrpc/connect";
import { ItemSchema } from "../../../gen/docket/inventory/v1/inventory_pb.js";
import { InventoryService, type UpdateItemRequest } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { checkEtag } from "../../runtime/api/etag.ts";
import { updatePaths } from "../../runtime/api/field-mask.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { aborted, invalidArgument } from "../../runtime/errors.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import { idempotent } from "../../runtime/idempotency/idempotent.ts";
import type { InventoryContext } from "../context.ts";
import { type ItemContent, sameContent } from "../domain/item.ts";
import { itemNotFound } from "../errors.ts";
import { skuOf, toItemMessage } from "../messages.ts";
import { findItem, lockItems, updateItemContent } from "../store/items.ts";
import { parseItemContent } from "./item-content.ts";

const changeable = ["title", "prices", "discontinued"];

/** Updates title, prices or `discontinued`. An update without changes keeps the etag. */
export function updateItem({ db, clock }: InventoryContext): ServiceImpl<typeof InventoryService>["updateItem"] {
  const method = InventoryService.method.updateItem;
  return async (request, context) => {
    const { tenant } = principalOf(context);
    const { item, fields, content } = parse(request);
    const sku = skuOf(item.name);
    const etag = item.etag || (context.requestHeader.get("If-Match") ?? "");

    const call = { tenant, method, requestId: idempotencyKeyOf(request, context), request, clock };
    return idempotent(db, call, async (trx) => {
      const [stored] = await lockItems(trx, db.dialect, tenant, [sku]);
      if (stored === undefined) {
        throw itemNotFound(sku);
      }
      checkEtag(etag, stored.version);
      const next: ItemContent = {
        title: fields.has("title") ? content.title : stored.title,
        prices: fields.has("prices") ? content.prices : stored.prices,
        discontinued: fields.has("discontinued") ? content.discontinued : stored.discontinued,
      };
      if (sameContent(stored, next)) {
        return toItemMessage(stored);
      }
      if (!(await updateItemContent(trx, stored, next, clock.now().getTime()))) {
        throw aborted("ITEM_CHANGED", `${item.name} was changed by somebody else; read it again`);
      }
      return toItemMessage((await findItem(trx, tenant, sku)) ?? stored);
    });
  };
}

function parse({ item, updateMask }: UpdateItemRequest) {
  if (item === undefined) {
    throw invalidArgument([{ field: "item", description: "is required" }]);
  }
  const fields = new Set(updatePaths(ItemSchema, item, updateMask, changeable));
  const { content, violations } = parseItemContent(item, "item", fields);
  if (!/^items\/[^/]{1,63}$/.test(item.name)) {
    violations.unshift({ field: "item.name", description: "must be an item's name, items/{sku}" });
  }
  if (violations.length > 0) {
    throw invalidArgument(violations);
  }
  return { item, fields, content };
}
