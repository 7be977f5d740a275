import type { Amount } from "../../runtime/values/money.ts";
import type { StockMove } from "./stock-move.ts";

/** A stored item. Times are epoch milliseconds. */
export interface StoredItem {
  readonly tenant: string;
  readonly sku: string;
  readonly title: string;
  /** At most one per currency, ascending by currency. */
  readonly prices: readonly Amount[];
  readonly discontinued: boolean;
  readonly stock: Stock;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly version: number;
}

/** Stock counts. Invariant: `0 ≤ reserved ≤ onHand`. */
export interface Stock {
  readonly onHand: bigint;
  readonly reserved: bigint;
}

/** The fields of an item that callers can change. */
export interface ItemContent {
  readonly title: string;
  readonly prices: readonly Amount[];
  readonly discontinued: boolean;
}

/** Returns the units available for sale. */
export function available({ onHand, reserved }: Stock): bigint {
  return onHand - reserved;
}

/** Applies a move. Returns undefined if it would violate `0 ≤ reserved ≤ onHand`. */
export function moveItem(
  item: StoredItem,
  { onHandDelta, reservedDelta }: StockMove,
  nowMs: number,
): StoredItem | undefined {
  const stock = { onHand: item.stock.onHand + onHandDelta, reserved: item.stock.reserved + reservedDelta };
  if (stock.reserved < 0n || stock.reserved > stock.onHand) {
    return undefined;
  }
  return { ...item, stock, updatedAt: nowMs, version: item.version + 1 };
}

/** Creates an item without stock. */
export function newItem(key: { tenant: string; sku: string }, content: ItemContent, nowMs: number): StoredItem {
  const stock = { onHand: 0n, reserved: 0n };
  return { ...key, ...sorted(content), stock, createdAt: nowMs, updatedAt: nowMs, version: 1 };
}

/** Replaces the content of an item. */
export function withContent(item: StoredItem, content: ItemContent, nowMs: number): StoredItem {
  return { ...item, ...sorted(content), updatedAt: nowMs, version: item.version + 1 };
}

function sorted({ title, prices, discontinued }: ItemContent): ItemContent {
  return { title, prices: [...prices].sort((a, b) => (a.currency < b.currency ? -1 : 1)), discontinued };
}

/** Returns whether two contents are equal, regardless of the order of prices. */
export function sameContent(a: ItemContent, b: ItemContent): boolean {
  return (
    a.title === b.title &&
    a.discontinued === b.discontinued &&
    a.prices.length === b.prices.length &&
    a.prices.every(({ currency, minor }) =>
      b.prices.some((other) => other.currency === currency && other.minor === minor),
    )
  );
}
