import type { ShippedLine } from "./shipment.ts";

/** An order line. */
export interface OrderedLine {
  readonly id: string;
  readonly sku: string;
  readonly quantity: number;
}

/** Requested units of an order line. */
export interface WantedLine {
  readonly lineItemId: string;
  readonly quantity: number;
}

export type LinesToShip =
  | { readonly kind: "lines"; readonly lines: readonly ShippedLine[] }
  /** All units are already in shipments. */
  | { readonly kind: "nothing-left" }
  /** The order has no such lines. */
  | { readonly kind: "unknown"; readonly lineItemIds: readonly string[] }
  /** More units were requested than are left. */
  | { readonly kind: "too-many"; readonly excesses: readonly Excess[] };

export interface Excess {
  readonly lineItemId: string;
  readonly sku: string;
  readonly wanted: number;
  readonly left: number;
}

/**
 * Returns the lines of a new shipment: the wanted units, or all remaining units if none are named. `shipped` are the
 * lines of all shipments that were not cancelled; together with them no line exceeds its ordered quantity.
 */
export function linesToShip(
  ordered: readonly OrderedLine[],
  shipped: readonly WantedLine[],
  wanted: readonly WantedLine[],
): LinesToShip {
  const left = new Map(ordered.map(({ id, quantity }) => [id, quantity]));
  for (const { lineItemId, quantity } of shipped) {
    left.set(lineItemId, (left.get(lineItemId) ?? 0) - quantity);
  }
  const bySku = new Map(ordered.map(({ id, sku }) => [id, sku]));
  if (wanted.length === 0) {
    const lines = ordered.flatMap(({ id, sku }) => {
      const quantity = left.get(id) ?? 0;
      return quantity > 0 ? [{ lineItemId: id, sku, quantity }] : [];
    });
    return lines.length > 0 ? { kind: "lines", lines } : { kind: "nothing-left" };
  }
  const lineItemIds = wanted.map(({ lineItemId }) => lineItemId).filter((id) => !bySku.has(id));
  if (lineItemIds.length > 0) {
    return { kind: "unknown", lineItemIds };
  }
  const lines = wanted.map(({ lineItemId, quantity }) => ({ lineItemId, sku: bySku.get(lineItemId) ?? "", quantity }));
  const excesses = lines
    .map(({ lineItemId, sku, quantity }) => ({ lineItemId, sku, wanted: quantity, left: left.get(lineItemId) ?? 0 }))
    .filter((line) => line.wanted > line.left);
  return excesses.length > 0 ? { kind: "too-many", excesses } : { kind: "lines", lines };
}

/** Returns whether two shipments have the same lines, in any order. */
export function sameLines(a: readonly WantedLine[], b: readonly WantedLine[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ lineItemId, quantity }) =>
      b.some((other) => other.lineItemId === lineItemId && other.quantity === quantity),
    )
  );
}
