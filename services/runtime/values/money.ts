import { create } from "@bufbuild/protobuf";
import { type Money, MoneySchema } from "../../../gen/google/type/money_pb.js";

/** An amount of money as stored: minor units (cents) of an ISO 4217 currency, within 64 signed bits. */
export interface Amount {
  currency: string;
  minor: bigint;
}

/**
 * ISO 4217 list one, by the number of decimal digits of the minor unit. Codes without one (XAU, XDR, …) are not
 * supported.
 */
const CODES_BY_EXPONENT: readonly (readonly [number, string])[] = [
  [0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"],
  [
    2,
    `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
     CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR
     ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV
     MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD
     SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG`,
  ],
  [3, "BHD IQD JOD KWD LYD OMR TND"],
  [4, "CLF UYW"],
];

const EXPONENTS: ReadonlyMap<string, number> = new Map(
  CODES_BY_EXPONENT.flatMap(([exponent, codes]) => codes.split(/\s+/).map((code) => [code, exponent] as const)),
);

const NANOS_PER_UNIT = 1_000_000_000n;
const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;

/** Number of decimal digits of the currency's minor unit; undefined if it is not an active ISO 4217 currency. */
export function exponentOf(currency: string): number | undefined {
  return EXPONENTS.get(currency);
}

/**
 * Parses a `google.type.Money`; undefined if it is invalid: an unknown currency, nanos out of range or of another sign
 * than the units, a fraction finer than the minor unit, or more than 64 bits of minor units.
 */
export function parseMoney(money: Money): Amount | undefined {
  const exponent = exponentOf(money.currencyCode);
  const { units, nanos } = money;
  if (exponent === undefined || !Number.isInteger(nanos) || Math.abs(nanos) > 999_999_999) {
    return undefined;
  }
  if ((units > 0n && nanos < 0) || (units < 0n && nanos > 0)) {
    return undefined;
  }
  const minorPerUnit = 10n ** BigInt(exponent);
  const nanosPerMinor = NANOS_PER_UNIT / minorPerUnit;
  if (BigInt(nanos) % nanosPerMinor !== 0n) {
    return undefined;
  }
  const minor = units * minorPerUnit + BigInt(nanos) / nanosPerMinor;
  return minor < MIN_INT64 || minor > MAX_INT64 ? undefined : { currency: money.currencyCode, minor };
}

/** Converts the amount to `google.type.Money`. Throws a RangeError for a currency that `exponentOf` does not know. */
export function toMoney(amount: Amount): Money {
  const exponent = exponentOf(amount.currency);
  if (exponent === undefined) {
    throw new RangeError(`${amount.currency} is not an ISO 4217 currency`);
  }
  const minorPerUnit = 10n ** BigInt(exponent);
  return create(MoneySchema, {
    currencyCode: amount.currency,
    units: amount.minor / minorPerUnit,
    nanos: Number((amount.minor % minorPerUnit) * (NANOS_PER_UNIT / minorPerUnit)),
  });
}

/**
 * Divides and rounds to the nearest integer; a half rounds away from zero, so that a charge and its refund have the
 * same size. The denominator must be positive.
 */
export function roundHalfUp(numerator: bigint, denominator: bigint): bigint {
  if (denominator <= 0n) {
    throw new RangeError("the denominator must be positive");
  }
  const twice = 2n * numerator;
  return (numerator < 0n ? twice - denominator : twice + denominator) / (2n * denominator);
}
