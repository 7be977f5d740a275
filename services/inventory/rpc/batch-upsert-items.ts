import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Item } from "../../../gen/docket/inventory/v1/inventory_pb.js";
import {
  BatchUpsertItemsResponseSchema,
  InventoryService,
} from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { checkEtag } from "../../runtime/api/etag.ts";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { type FieldViolation, invalidArgument } from "../../runtime/errors.ts";
import { executeOnce } from "../../runtime/idempotency/execute-once.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import type { InventoryContext } from "../context.ts";
import { sameContent, withContent } from "../domain/item.ts";
import { toItemMessage } from "../messages.ts";
import { items } from "../store/mappings.ts";
import { parseItemContent } from "./items/item-content.ts";
import { insertItem, type NewItem } from "./items/new-items.ts";

/** Creates or updates all items, or none. Items that already match are not written. */
export function batchUpsertItems({
  commands,
  clock,
}: InventoryContext): ServiceImpl<typeof InventoryService>["batchUpsertItems"] {
  const method = InventoryService.method.batchUpsertItems;
  return async (request, call) => {
    const principal = principalOf(call);
    const { tenant } = principal;
    const wanted = parse(request.items);
    const cause = { actor: actorOf(principal), nowMs: clock.now().getTime() };
    const { signal } = call;
    const mutation = { tenant, method, requestId: idempotencyKeyOf(request, call), request, clock, signal };
    return executeOnce(commands, mutation, {
      keys(need) {
        for (const { sku } of wanted) {
          need.one(items, [tenant, sku]);
        }
      },
      decide(batch) {
        const upserted = wanted.map(({ etag, ...next }) => {
          const stored = batch.get(items, [tenant, next.sku]);
          if (stored === undefined) {
            return insertItem(batch, tenant, next, cause);
          }
          checkEtag(etag, stored.version);
          if (sameContent(stored, next)) {
            return stored;
          }
          const updated = withContent(stored, next, cause.nowMs);
          batch.update(items, updated);
          return updated;
        });
        return create(BatchUpsertItemsResponseSchema, { items: upserted.map(toItemMessage) });
      },
    });
  };
}

interface WantedItem extends NewItem {
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
