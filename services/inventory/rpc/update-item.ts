import type { ServiceImpl } from "@connectrpc/connect";
import { ItemSchema } from "../../../gen/docket/inventory/v1/inventory_pb.js";
import { InventoryService, type UpdateItemRequest } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { checkEtag } from "../../runtime/api/etag.ts";
import { updatePaths } from "../../runtime/api/field-mask.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { invalidArgument } from "../../runtime/errors.ts";
import { executeOnce } from "../../runtime/idempotency/execute-once.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import type { InventoryContext } from "../context.ts";
import { type ItemContent, sameContent, withContent } from "../domain/item.ts";
import { itemNotFound } from "../errors.ts";
import { skuOf, toItemMessage } from "../messages.ts";
import { items } from "../store/mappings.ts";
import { parseItemContent } from "./items/item-content.ts";

const changeable = ["title", "prices", "discontinued"];

/** Updates title, prices or `discontinued`. An update without changes keeps the etag. */
export function updateItem({ commands, clock }: InventoryContext): ServiceImpl<typeof InventoryService>["updateItem"] {
  const method = InventoryService.method.updateItem;
  return async (request, call) => {
    const { tenant } = principalOf(call);
    const { item, fields, content } = parse(request);
    const sku = skuOf(item.name);
    const etag = item.etag || (call.requestHeader.get("If-Match") ?? "");
    const nowMs = clock.now().getTime();
    const { signal } = call;
    const mutation = { tenant, method, requestId: idempotencyKeyOf(request, call), request, clock, signal };
    return executeOnce(commands, mutation, {
      keys: (need) => need.one(items, [tenant, sku]),
      decide(batch) {
        const stored = batch.get(items, [tenant, sku]);
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
        const updated = withContent(stored, next, nowMs);
        batch.update(items, updated);
        return toItemMessage(updated);
      },
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
