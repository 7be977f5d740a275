import type { ReservationState, ReservedLine, SkuQuantity } from "./reservation.ts";

/** What resizing a reservation changes. SKUs ascend. */
export interface Resizing {
  /** The new quantities of SKUs whose quantity changes. */
  readonly quantities: readonly SkuQuantity[];
  /** What is to be reserved besides. */
  readonly more: readonly SkuQuantity[];
  /** What is given back. */
  readonly less: readonly SkuQuantity[];
  readonly state: Extract<ReservationState, "COMMITTED" | "CONSUMED">;
}

/**
 * What becomes of a COMMITTED or CONSUMED reservation that is to have held `wanted` in all. What has left the warehouse
 * stays the least, and SKUs that are not named stay as they are; with `giveBackOnly` nothing grows.
 */
export function resize(
  lines: readonly ReservedLine[],
  wanted: ReadonlyMap<string, bigint>,
  { giveBackOnly }: { readonly giveBackOnly: boolean },
): Resizing {
  const resized = lines
    .map(({ sku, quantity, consumed }) => {
      const least = max(wanted.get(sku) ?? quantity, consumed);
      return { sku, before: quantity, after: giveBackOnly && least > quantity ? quantity : least, consumed };
    })
    .sort((a, b) => (a.sku < b.sku ? -1 : 1));
  const changed = resized.filter(({ before, after }) => before !== after);
  const differences = changed.map(({ sku, before, after }) => ({ sku, quantity: after - before }));
  return {
    quantities: changed.map(({ sku, after }) => ({ sku, quantity: after })),
    more: differences.filter(({ quantity }) => quantity > 0n),
    less: differences
      .filter(({ quantity }) => quantity < 0n)
      .map(({ sku, quantity }) => ({ sku, quantity: -quantity })),
    state: resized.every(({ after, consumed }) => after === consumed) ? "CONSUMED" : "COMMITTED",
  };
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
