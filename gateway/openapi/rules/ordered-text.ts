/**
 * Patterns by which JSON Schema compares numbers and times that JSON writes as text. The regular expressions have no
 * anchors and no enclosing group; values count the smallest unit of the text.
 */
export interface OrderedText {
  atLeast(value: bigint): string;
  atMost(value: bigint): string;
  equal(value: bigint): string;
  /** Texts that no pattern can order. */
  readonly unordered?: string;
}

/** Integers: `-12`, without leading zeros. */
export const integerText = createDecimalText(0, "");

/** `google.protobuf.Duration` in nanoseconds: `-1.5s`. */
export const durationText = createDecimalText(9, "s");

function createDecimalText(places: number, unit: string): OrderedText {
  const one = 10n ** BigInt(places);
  const anyFraction = places === 0 ? "" : "(?:\\.\\d+)?";
  const split = (magnitude: bigint): [whole: string, fraction: string] => [
    String(magnitude / one),
    places === 0 ? "" : String(magnitude % one).padStart(places, "0"),
  ];
  const magnitudeAtLeast = (magnitude: bigint): string => {
    if (magnitude === 0n) return `\\d+${anyFraction}`;
    const [whole, fraction] = split(magnitude);
    return `(?:${greater(whole)})${anyFraction}|${whole}${fractionAtLeast(fraction)}`;
  };
  const magnitudeAtMost = (magnitude: bigint): string => {
    const [whole, fraction] = split(magnitude);
    const equal = `${whole}${fractionAtMost(fraction)}`;
    return whole === "0" ? equal : `(?:${less(whole)})${anyFraction}|${equal}`;
  };
  return {
    atLeast: (value) =>
      value >= 0n
        ? `(?:${magnitudeAtLeast(value)})${unit}`
        : `(?:\\d+${anyFraction}|-(?:${magnitudeAtMost(-value)}))${unit}`,
    atMost: (value) =>
      value >= 0n
        ? `(?:-\\d+${anyFraction}|${magnitudeAtMost(value)})${unit}`
        : `-(?:${magnitudeAtLeast(-value)})${unit}`,
    equal: (value) => {
      const [whole, fraction] = split(value < 0n ? -value : value);
      return `${value < 0n ? "-" : ""}${whole}${fractionEqual(fraction)}${unit}`;
    },
  };
}

/** The years from 1 to 9999, the range of a Timestamp. */
const firstTime = BigInt(Date.parse("0001-01-01T00:00:00Z")) * 1_000_000n;
const lastTime = BigInt(Date.parse("9999-12-31T23:59:59Z")) * 1_000_000n + 999_999_999n;

/** A class that matches no character. */
const never = "[^\\s\\S]";

/** `google.protobuf.Timestamp` in nanoseconds since 1970, written in UTC; `unordered` are those with another offset. */
export const timestampText: OrderedText = {
  unordered: ".*[+-]\\d\\d:\\d\\d",
  atLeast: (value) => {
    if (value > lastTime) return never;
    const [time, fraction] = splitTime(value);
    return utc([...steps(time, "up").map((step) => `${step}.*`), `${time}${fractionAtLeast(fraction)}`]);
  },
  atMost: (value) => {
    if (value < firstTime) return never;
    const [time, fraction] = splitTime(value);
    return utc([...steps(time, "down").map((step) => `${step}.*`), `${time}${fractionAtMost(fraction)}`]);
  },
  equal: (value) => {
    const [time, fraction] = splitTime(value);
    return `${time}${fractionEqual(fraction)}Z`;
  },
};

function splitTime(value: bigint): [time: string, fraction: string] {
  const nanos = ((value % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const date = new Date(Number((value - nanos) / 1_000_000n));
  return [date.toISOString().slice(0, "2026-01-31T12:00:00".length), String(nanos).padStart(9, "0")];
}

function utc(alternatives: readonly string[]): string {
  return `(?:${alternatives.join("|")})Z`;
}

/** All prefixes whose first difference from `text` is a higher (`up`) or lower (`down`) digit. */
function steps(text: string, direction: "up" | "down", lowestFirst = 0): string[] {
  return [...text].flatMap((character, at) => {
    if (!/\d/.test(character)) return [];
    const digit = Number(character);
    const [from, to] = direction === "up" ? [digit + 1, 9] : [at === 0 ? lowestFirst : 0, digit - 1];
    return from > to ? [] : [`${text.slice(0, at)}${from === to ? from : `[${from}-${to}]`}`];
  });
}

function greater(whole: string): string {
  const longer = `[1-9]\\d{${whole.length},}`;
  return [longer, ...steps(whole, "up").map((step) => filled(step, whole.length))].join("|");
}

function less(whole: string): string {
  const shorter = whole.length > 1 ? [whole.length === 2 ? "\\d" : `\\d{1,${whole.length - 1}}`] : [];
  return [...shorter, ...steps(whole, "down", +(whole.length > 1)).map((step) => filled(step, whole.length))].join("|");
}

function filled(step: string, length: number): string {
  const left = length - step.replace(/\[.*\]/, "0").length;
  return left < 2 ? `${step}${"\\d".repeat(left)}` : `${step}\\d{${left}}`;
}

/** Digits after a decimal point, with the point; trailing zeros may be omitted. */
function fractionAtLeast(fraction: string): string {
  const digits = fraction.replace(/0+$/, "");
  if (digits === "") return fraction === "" ? "" : "(?:\\.\\d+)?";
  return `\\.(?:${[...steps(digits, "up"), digits].map((step) => `${step}\\d*`).join("|")})`;
}

function fractionAtMost(fraction: string): string {
  const digits = fraction.replace(/0+$/, "");
  if (digits === "") return fractionEqual(fraction);
  const shorter = Array.from({ length: digits.length - 1 }, (_, at) => digits.slice(0, at + 1));
  return `(?:\\.(?:${[...steps(digits, "down").map((step) => `${step}\\d*`), ...shorter, `${digits}0*`].join("|")}))?`;
}

function fractionEqual(fraction: string): string {
  const digits = fraction.replace(/0+$/, "");
  if (digits === "") return fraction === "" ? "" : "(?:\\.0+)?";
  return `\\.${digits}0*`;
}
