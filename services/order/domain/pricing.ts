import type { OrderLine } from "./order.ts";
import { discountAtRate, grossOf, lineTotal, type Totals, totalsOf } from "./totals.ts";

/** Catalogue data of a SKU. */
export interface CatalogItem {
  readonly sku: string;
  readonly title: string;
  readonly discontinued: boolean;
  /** Minor units by currency. */
  readonly prices: ReadonlyMap<string, bigint>;
}

/** A requested line. Amounts are in minor units of the order's currency, undefined if not given. */
export interface WantedLine {
  readonly sku: string;
  readonly quantity: number;
  readonly unitPrice: bigint | undefined;
  readonly discount: bigint | undefined;
  /** A decimal between 0 and 1; empty if not given. */
  readonly discountRate: string;
}

export interface WantedOrder {
  readonly currency: string;
  readonly lines: readonly WantedLine[];
  readonly shippingFee: bigint | undefined;
}

/** A field violation; the path begins at the order, such as `line_items[2].sku`. */
export interface Violation {
  readonly field: string;
  readonly description: string;
  /** Whether the value is a price that the caller may not set. */
  readonly isForbiddenPrice?: boolean;
}

export type Pricing =
  | { readonly ok: true; readonly lines: readonly OrderLine[]; readonly totals: Totals }
  | { readonly ok: false; readonly violations: readonly Violation[] };

/** The scope that lets a caller set prices. */
export const priceScope = "orders.price";

/**
 * Prices an order from the catalogue. Callers who may set prices (`mayPrice`) override it: their unit prices, discounts
 * and shipping fee apply, and they may sell discontinued items, since they import past orders. Reports all violations
 * at once.
 */
export function priceOrder(
  order: WantedOrder,
  catalog: ReadonlyMap<string, CatalogItem>,
  options: { readonly mayPrice: boolean },
): Pricing {
  const violations: Violation[] = [];
  const refuse: Refuse = (field, description, isForbiddenPrice = false) => {
    violations.push({ field, description, ...(isForbiddenPrice && { isForbiddenPrice }) });
  };
  const { mayPrice } = options;

  const lines = order.lines.map((wanted, index): OrderLine => {
    const at = `line_items[${index}]`;
    const item = catalog.get(wanted.sku);
    const unitPrice = unitPriceOf(wanted, item, order.currency, mayPrice, (field, ...why) =>
      refuse(`${at}.${field}`, ...why),
    );
    const gross = grossOf({ quantity: wanted.quantity, unitPrice });
    const discount = discountOf(wanted, gross, mayPrice, (field, ...why) => refuse(`${at}.${field}`, ...why));
    return {
      id: String(index + 1),
      sku: wanted.sku,
      title: item?.title ?? "",
      quantity: wanted.quantity,
      unitPrice,
      discount,
      discountRate: wanted.discountRate,
      total: lineTotal({ quantity: wanted.quantity, unitPrice, discount }),
      quantityShipped: 0,
      quantityDelivered: 0,
      quantityCancelled: 0,
    };
  });

  const shippingFee = order.shippingFee ?? 0n;
  if (shippingFee < 0n) {
    refuse("shipping_fee", "must not be negative");
  } else if (shippingFee > 0n && !mayPrice) {
    refuse("shipping_fee", `setting it requires the scope ${priceScope}`, true);
  }
  const totals = totalsOf(lines, shippingFee);
  if (totals === undefined) {
    refuse("line_items", "the sum is too large");
  }
  return totals === undefined || violations.length > 0 ? { ok: false, violations } : { ok: true, lines, totals };
}

type Refuse = (field: string, description: string, isForbiddenPrice?: boolean) => void;

function unitPriceOf(
  wanted: WantedLine,
  item: CatalogItem | undefined,
  currency: string,
  mayPrice: boolean,
  refuse: Refuse,
): bigint {
  if (item === undefined) {
    refuse("sku", `there is no item ${wanted.sku}`);
    return 0n;
  }
  if (item.discontinued && !mayPrice) {
    refuse("sku", `${wanted.sku} is discontinued`);
  }
  const listed = item.prices.get(currency);
  const given = wanted.unitPrice;
  if (given === undefined) {
    if (listed === undefined) {
      refuse("sku", `${wanted.sku} has no price in ${currency}`);
    }
    return listed ?? 0n;
  }
  if (given < 0n) {
    refuse("unit_price", "must not be negative");
    return 0n;
  }
  if (given !== listed && !mayPrice) {
    refuse("unit_price", `is not the item's price; setting another requires the scope ${priceScope}`, true);
  }
  return given;
}

function discountOf(wanted: WantedLine, gross: bigint, mayPrice: boolean, refuse: Refuse): bigint {
  const { discount: given, discountRate } = wanted;
  const computed = discountRate === "" ? undefined : discountAtRate(gross, discountRate);
  const discount = computed ?? given ?? 0n;
  if (given !== undefined && computed !== undefined && given !== computed) {
    refuse("discount", `does not match the discount rate ${discountRate}; omit one of them`);
  } else if (discount < 0n) {
    refuse("discount", "must not be negative");
  } else if (discount > gross) {
    refuse("discount", "exceeds the price of the line");
  } else if (discount > 0n && !mayPrice) {
    refuse(discountRate === "" ? "discount" : "discount_rate", `setting it requires the scope ${priceScope}`, true);
  }
  return discount;
}
