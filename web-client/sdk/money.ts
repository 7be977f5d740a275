import { create } from "@bufbuild/protobuf";
import { type Money, MoneySchema } from "../../gen/google/type/money_pb.js";

/**
 * Parses a decimal amount: `money("EUR", "12.34")`. Takes a string, as floats cannot represent every amount.
 *
 * @throws RangeError if the text is not a decimal with at most nine decimal places
 */
export function money(currencyCode: string, amount: string): Money {
  const match = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(amount);
  if (match === null) {
    throw new RangeError(`${JSON.stringify(amount)} is no amount: write it like 12.34, with at most nine places`);
  }
  const [, sign, whole = "", fraction = ""] = match;
  const factor = sign === "-" ? -1 : 1;
  return create(MoneySchema, {
    currencyCode,
    units: BigInt(whole) * BigInt(factor),
    // Avoid -0, which some JSON and equality treats as another number.
    nanos: Number(fraction.padEnd(9, "0")) * factor || 0,
  });
}

/** Formats an amount as a decimal with at least `places` decimal places: `12.34`. */
export function formatMoney({ units, nanos }: Money, places = 2): string {
  const sign = units < 0n || nanos < 0 ? "-" : "";
  const whole = units < 0n ? -units : units;
  const fraction = String(Math.abs(nanos)).padStart(9, "0").replace(/0+$/, "").padEnd(places, "0");
  return fraction === "" ? `${sign}${whole}` : `${sign}${whole}.${fraction}`;
}
