/** An exact decimal fraction: `numerator / 10^digits`. */
export interface Decimal {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/**
 * Parses `0.15`, `1`, `1.000`: at most 19 digits, optionally followed by a point and at most six more. Returns
 * undefined for other text.
 */
export function parseDecimal(text: string): Decimal | undefined {
  const match = /^(\d{1,19})(?:\.(\d{1,6}))?$/.exec(text);
  if (match === null) {
    return undefined;
  }
  const [, whole = "", fraction = ""] = match;
  return { numerator: BigInt(whole + fraction), denominator: 10n ** BigInt(fraction.length) };
}
