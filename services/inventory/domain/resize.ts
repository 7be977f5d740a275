import type { ReservationState, ReservedLine, SkuQuantity } from "./reservation.ts";

/** Changes made by resizing a reservation. SKUs in ascending order. */
export interface Resizing {
  /** New total quantities of the SKUs that change. */
  readonly quantities: readonly SkuQuantity[];
  /** Additional units to reserve. */
  readonly more: readonly SkuQuantity[];
  /** Units to release. */
  readonly less: readonly SkuQuantity[];
  readonly state: Extract<ReservationState, "COMMITTED" | "CONSUMED">;
}

/**
 * Computes how to resize a COMMITTED or CONSUMED reservation to the `wanted` totals. Totals never fall below the units
 * that have left the warehouse, and unnamed SKUs are unchanged. With `giveBackOnly` no quantity grows.
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
