import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Item } from "../../../gen/docket/inventory/v1/inventory_pb.js";
import {
  BatchUpsertItemsResponseSchema,
  InventoryService,
} from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { checkEtag } from "../../runtime/api/etag.ts";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { aborted, type FieldViolation, invalidArgument } from "../../runtime/errors.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import { idempotent } from "../../runtime/idempotency/idempotent.ts";
import type { InventoryContext } from "../context.ts";
import { type StoredItem, sameContent } from "../domain/item.ts";
import { toItemMessage } from "../messages.ts";
import { findItems, lockItems, updateItemContent } from "../store/items.ts";
import { parseItemContent } from "./item-content.ts";
import { createItems, type StockedItem } from "./new-items.ts";

/**
 * Creates or updates all items, or none. Items that already match are not written. If another caller concurrently
 * creates one of them, the request fails with ABORTED and can be repeated unchanged.
 */
export function batchUpsertItems(
  inventory: InventoryContext,
): ServiceImpl<typeof InventoryService>["batchUpsertItems"] {
  const { db, clock } = inventory;
  const method = InventoryService.method.batchUpsertItems;
  return async (request, context) => {
    const principal = principalOf(context);
    const { tenant } = principal;
    const wanted = parse(request.items);
    const skus = wanted.map(({ sku }) => sku);

    const call = { tenant, method, requestId: idempotencyKeyOf(request, context), request, clock };
    return idempotent(db, call, async (trx) => {
      const existing = new Map((await lockItems(trx, db.dialect, tenant, skus)).map((item) => [item.sku, item]));
      const missing = wanted.filter(({ sku }) => !existing.has(sku));
      if (missing.length > 0 && !(await createItems(inventory, trx, tenant, missing, actorOf(principal)))) {
        throw aborted("ITEM_CHANGED", "somebody else has just created one of the items", { retryAfterMs: 0 });
      }
      const bySku = new Map(wanted.map((item) => [item.sku, item]));
      const nowMs = clock.now().getTime();
      for (const [sku, stored] of existing) {
        const next = bySku.get(sku);
        if (next) {
          checkEtag(next.etag, stored.version);
        }
        if (next && !sameContent(stored, next)) {
          await updateItemContent(trx, stored, next, nowMs);
        }
      }
      const now = new Map<string, StoredItem>((await findItems(trx, tenant, skus)).map((item) => [item.sku, item]));
      return create(BatchUpsertItemsResponseSchema, {
        items: skus.flatMap((sku) => {
          const item = now.get(sku);
          return item ? [toItemMessage(item)] : [];
        }),
      });
    });
  };
}

interface WantedItem extends StockedItem {
  readonly etag: string;
}

function parse(items: readonly Item[]): WantedItem[] {
  const violations: FieldViolation[] = [];
  const firstAt = new Map<string, number>();
  const wanted = items.map((item, i) => {
    const parsed = parseItemContent(item, `items[${i}]`);
    violations.push(...parsed.violations);
    const earlier = firstAt.get(item.sku);
    if (earlier === undefined) {
      firstAt.set(item.sku, i);
    } else {
      violations.push({ field: `items[${i}].sku`, description: `is the same as that of items[${earlier}]` });
    }
    return { sku: item.sku, stockOnHand: item.stockOnHand, etag: item.etag, ...parsed.content };
  });
  if (violations.length > 0) {
    throw invalidArgument(violations);
  }
  return wanted;
}
