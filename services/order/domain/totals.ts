import { roundHalfUp } from "../../runtime/values/money.ts";
import { parseDecimal } from "./decimal.ts";

/** A priced line, amounts in minor units. */
export interface PricedLine {
  readonly quantity: number;
  readonly unitPrice: bigint;
  readonly discount: bigint;
}

/** An order's sums in minor units. */
export interface Totals {
  /** Sum of `unitPrice × quantity`. */
  readonly subtotal: bigint;
  readonly discountTotal: bigint;
  readonly shippingFee: bigint;
  /** `subtotal − discountTotal + shippingFee`. */
  readonly total: bigint;
}

/** The largest amount that fits a column and a `google.type.Money` of any currency. */
const MAX_MINOR = 2n ** 63n - 1n;

/** `unitPrice × quantity`. */
export function grossOf(line: Pick<PricedLine, "quantity" | "unitPrice">): bigint {
  return line.unitPrice * BigInt(line.quantity);
}

/** `unitPrice × quantity − discount`. */
export function lineTotal(line: PricedLine): bigint {
  return grossOf(line) - line.discount;
}

/**
 * The share of a line's total for this many of its units, rounded half up to the minor unit. For all units it is the
 * total, so that partial cancellations add up.
 */
export function shareOf(
  { total, quantity }: { readonly total: bigint; readonly quantity: number },
  units: number,
): bigint {
  return roundHalfUp(total * BigInt(units), BigInt(quantity));
}

/** `gross × rate`, rounded half up to the minor unit. Throws a RangeError if `parseDecimal` rejects the rate. */
export function discountAtRate(gross: bigint, rate: string): bigint {
  const decimal = parseDecimal(rate);
  if (decimal === undefined) {
    throw new RangeError(`${rate} is not a decimal`);
  }
  return roundHalfUp(gross * decimal.numerator, decimal.denominator);
}

/** Adds up the order, or returns undefined if a sum is too large to store. Lines are rounded before they are added. */
export function totalsOf(lines: readonly PricedLine[], shippingFee: bigint): Totals | undefined {
  let subtotal = 0n;
  let discountTotal = 0n;
  for (const line of lines) {
    subtotal += grossOf(line);
    discountTotal += line.discount;
  }
  const total = subtotal - discountTotal + shippingFee;
  return subtotal > MAX_MINOR || total > MAX_MINOR ? undefined : { subtotal, discountTotal, shippingFee, total };
}
