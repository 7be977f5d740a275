import type { OrderLine } from "./order.ts";
import { shareOf } from "./totals.ts";

/** A number of units of a line to cancel. */
export interface WantedUnits {
  readonly lineId: string;
  readonly quantity: number;
}

/** A line with fewer units left than were to be cancelled. */
export interface Excess {
  readonly lineId: string;
  readonly wanted: number;
  readonly left: number;
}

export type LinesCancelled =
  | {
      readonly kind: "cancelled";
      readonly lines: readonly OrderLine[];
      /** Amount deducted from the order's total, in minor units. */
      readonly amount: bigint;
    }
  /** Line ids that are not in the order. */
  | { readonly kind: "unknown"; readonly lineIds: readonly string[] }
  | { readonly kind: "too-many"; readonly excesses: readonly Excess[] }
  /** The order would have no units left. */
  | { readonly kind: "nothing-left" };

/**
 * Cancels these units of the order's lines. With `shipped`, the units by line that are in shipments, only unshipped
 * units can be cancelled. A cancelled unit deducts its share of the line's total, discount included, from the order's
 * total: `shareOf` the units cancelled so far, less the earlier deductions. The shipping fee stays.
 *
 * @param wanted each line once
 */
export function cancelLines(
  lines: readonly OrderLine[],
  shipped: ReadonlyMap<string, number>,
  wanted: readonly WantedUnits[],
): LinesCancelled {
  const lineIds = wanted.map(({ lineId }) => lineId).filter((id) => lines.every((line) => line.id !== id));
  if (lineIds.length > 0) {
    return { kind: "unknown", lineIds };
  }
  const units = new Map(wanted.map(({ lineId, quantity }) => [lineId, quantity]));
  const excesses = lines.flatMap((line) => {
    const left = line.quantity - line.quantityCancelled - (shipped.get(line.id) ?? 0);
    const unitsWanted = units.get(line.id) ?? 0;
    return unitsWanted > left ? [{ lineId: line.id, wanted: unitsWanted, left }] : [];
  });
  if (excesses.length > 0) {
    return { kind: "too-many", excesses };
  }
  const after = lines.map((line) => ({
    ...line,
    quantityCancelled: line.quantityCancelled + (units.get(line.id) ?? 0),
  }));
  if (after.every((line) => line.quantityCancelled === line.quantity)) {
    return { kind: "nothing-left" };
  }
  return { kind: "cancelled", lines: after, amount: takenOff(after) - takenOff(lines) };
}

function takenOff(lines: readonly OrderLine[]): bigint {
  return lines.reduce((sum, line) => sum + shareOf(line, line.quantityCancelled), 0n);
}
