import type { Item } from "../../../../gen/docket/inventory/v1/inventory_pb.js";
import type { FieldViolation } from "../../../runtime/errors.ts";
import { type Amount, parseMoney } from "../../../runtime/values/money.ts";
import type { ItemContent } from "../../domain/item.ts";

const TITLE_MAX = 255;
const PRICES_MAX = 32;

/**
 * Validates the caller-provided fields of an item and collects all violations. `path` is the item's path in the
 * request, for example `items[3]`; `only` names the fields to validate.
 */
export function parseItemContent(
  item: Item,
  path: string,
  only: ReadonlySet<string> = new Set(["title", "prices"]),
): { content: ItemContent; violations: FieldViolation[] } {
  const violations: FieldViolation[] = [];
  if (only.has("title") && (item.title === "" || [...item.title].length > TITLE_MAX)) {
    violations.push({ field: `${path}.title`, description: `must have 1 to ${TITLE_MAX} characters` });
  }
  const prices = only.has("prices") ? parsePrices(item, path, violations) : [];
  return { content: { title: item.title, prices, discontinued: item.discontinued }, violations };
}

function parsePrices(item: Item, path: string, violations: FieldViolation[]): Amount[] {
  if (item.prices.length > PRICES_MAX) {
    violations.push({ field: `${path}.prices`, description: `must be at most ${PRICES_MAX}` });
    return [];
  }
  const prices = new Map<string, Amount>();
  for (const [i, money] of item.prices.entries()) {
    const field = `${path}.prices[${i}]`;
    const amount = parseMoney(money);
    if (amount === undefined) {
      violations.push({
        field,
        description: "must be an amount of an ISO 4217 currency, with no more decimals than the currency has",
      });
    } else if (amount.minor < 0n) {
      violations.push({ field, description: "must not be negative" });
    } else if (prices.has(amount.currency)) {
      violations.push({ field, description: `must be the only price in ${amount.currency}` });
    } else {
      prices.set(amount.currency, amount);
    }
  }
  return [...prices.values()];
}
