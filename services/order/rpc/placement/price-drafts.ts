import type { HandlerContext } from "@connectrpc/connect";
import type { Item } from "../../../../gen/docket/inventory/v1/inventory_pb.js";
import { adminScope } from "../../../runtime/auth/scopes.ts";
import { type Principal, principalOf } from "../../../runtime/context-values.ts";
import { parseMoney } from "../../../runtime/values/money.ts";
import type { OrderContext } from "../../context.ts";
import { type CatalogItem, type Pricing, priceOrder, priceScope } from "../../domain/pricing.ts";
import type { OrderDraft } from "./order-draft.ts";

/** The maximum of BatchGetItems. */
const SKUS_PER_CALL = 1000;

/**
 * Prices drafts for the caller of this RPC from the inventory service's items: one call per 1,000 SKUs of all drafts.
 */
export async function priceDrafts(
  { clients }: Pick<OrderContext, "clients">,
  drafts: readonly OrderDraft[],
  call: Pick<HandlerContext, "values" | "signal" | "timeoutMs">,
): Promise<Pricing[]> {
  const principal = principalOf(call);
  const skus = [...new Set(drafts.flatMap((draft) => draft.lines.map((line) => line.sku)))];
  const inventory = clients.inventory.for(principal.tenant, call);
  const catalog = new Map<string, CatalogItem>();
  for (let at = 0; at < skus.length; at += SKUS_PER_CALL) {
    const { items } = await inventory.batchGetItems({ skus: skus.slice(at, at + SKUS_PER_CALL) });
    for (const item of items) {
      catalog.set(item.sku, toCatalogItem(item));
    }
  }
  const options = { mayPrice: mayPrice(principal) };
  return drafts.map((draft) => priceOrder(draft, catalog, options));
}

/** Whether the caller may set prices, discounts and the shipping fee. */
function mayPrice({ kind, scopes }: Principal): boolean {
  return kind === "service" || scopes.has(priceScope) || scopes.has(adminScope);
}

function toCatalogItem({ sku, title, discontinued, prices }: Item): CatalogItem {
  const amounts = prices.flatMap((price) => parseMoney(price) ?? []);
  return { sku, title, discontinued, prices: new Map(amounts.map(({ currency, minor }) => [currency, minor])) };
}
