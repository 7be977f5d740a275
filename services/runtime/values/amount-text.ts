import { exponentOf } from "./money.ts";

/** Formats an amount as a decimal number with all digits of its currency: `12.30`, `-0.05`, `1200` for yen. */
export function decimalOf(currency: string, minor: bigint): string {
  const exponent = exponentOf(currency) ?? 0;
  const digits = (minor < 0n ? -minor : minor).toString().padStart(exponent + 1, "0");
  const whole = digits.slice(0, digits.length - exponent);
  const fraction = digits.slice(digits.length - exponent);
  return `${minor < 0n ? "-" : ""}${whole}${fraction === "" ? "" : `.${fraction}`}`;
}

/** Parses a decimal number to minor units; undefined if it is malformed or has more digits than the currency. */
export function minorOfDecimal(currency: string, text: string): bigint | undefined {
  const exponent = exponentOf(currency);
  const match = /^(-?)(\d{1,18})(?:\.(\d+))?$/.exec(text);
  if (exponent === undefined || match === null) {
    return undefined;
  }
  const [, sign, whole = "", fraction = ""] = match;
  const digits = fraction.replace(/0+$/, "");
  if (digits.length > exponent) {
    return undefined;
  }
  const minor = BigInt(whole + digits.padEnd(exponent, "0"));
  return sign === "-" ? -minor : minor;
}

/** Formats an amount for display: `12.30 EUR`. */
export function amountText(currency: string, minor: bigint): string {
  return `${decimalOf(currency, minor)} ${currency}`;
}
