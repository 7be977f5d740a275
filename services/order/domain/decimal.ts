/** A decimal fraction, exact: `numerator / 10^digits`. */
export interface Decimal {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Parses `0.15`, `1`, `1.000`: at most 19 digits, and optionally a point and at most six more. Undefined for anything else. */
export function parseDecimal(text: string): Decimal | undefined {
  const match = /^(\d{1,19})(?:\.(\d{1,6}))?$/.exec(text);
  if (match === null) {
    return undefined;
  }
  const [, whole = "", fraction = ""] = match;
  return { numerator: BigInt(whole + fraction), denominator: 10n ** BigInt(fraction.length) };
}
