import type { OrderLine } from "./order.ts";
import { shareOf } from "./totals.ts";

/** So many units of a line that are to be cancelled. */
export interface WantedUnits {
  readonly lineId: string;
  readonly quantity: number;
}

/** A line of which more was to be cancelled than is left. */
export interface Excess {
  readonly lineId: string;
  readonly wanted: number;
  readonly left: number;
}

export type LinesCancelled =
  | {
      readonly kind: "cancelled";
      readonly lines: readonly OrderLine[];
      /** What they take off the order's total, in minor units. */
      readonly amount: bigint;
    }
  /** These lines are not of the order. */
  | { readonly kind: "unknown"; readonly lineIds: readonly string[] }
  | { readonly kind: "too-many"; readonly excesses: readonly Excess[] }
  /** No unit of the order would be left. */
  | { readonly kind: "nothing-left" };

/**
 * The order's lines with these units cancelled. With `shipped`, the units by line that are in shipments, only what is in
 * none can be cancelled. A cancelled unit takes its share of the line's total, discount included, off the order's total:
 * `shareOf` the units cancelled so far, less what earlier cancellations took. The shipping fee stays.
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
