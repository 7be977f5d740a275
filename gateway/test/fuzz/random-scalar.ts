import { ScalarType } from "@bufbuild/protobuf";
import type { Random } from "./random.ts";

const texts = [
  "",
  "a",
  "hello world",
  "ä",
  "📚 books",
  "\u0000",
  "\u007f\u0080",
  'quote " and \\ back',
  "line\nbreak\r\t\b\f",
  "\u2028\u2029",
  "x".repeat(32),
  "x".repeat(33),
  `${"x".repeat(47)}"`,
  "ü".repeat(40),
  "y".repeat(127),
  "y".repeat(200),
  "__proto__",
  "constructor",
  "\ufeffbom",
  "\ufffd",
  "12",
  "true",
] as const;

const wrong = [
  undefined,
  null,
  1.5,
  -1,
  2 ** 40,
  "x",
  "\ud800",
  2n ** 70n,
  -1n,
  Number.NaN,
  true,
  {},
  [],
  "7",
] as const;

/** A random value of a scalar type, often an extreme one; occasionally of another type if `valid` is false. */
export function randomScalar(random: Random, type: ScalarType, valid: boolean): unknown {
  if (!valid && random.chance(0.05)) return random.pick(wrong);
  switch (type) {
    case ScalarType.STRING:
      return random.chance(0.002) ? "z".repeat(17_000) : random.pick(texts);
    case ScalarType.BOOL:
      return random.chance(0.5);
    case ScalarType.BYTES:
      return Uint8Array.from({ length: random.pick([0, 1, 2, 3, 10, 128, 200]) }, () => random.below(256));
    case ScalarType.DOUBLE:
      return random.pick([
        ...[
          0,
          -0,
          1.5,
          1e300,
          -1e-300,
          5e-324,
          Number.NaN,
          Infinity,
          -Infinity,
          random.below(1000),
          0.1,
          2 ** 53,
          1e21,
        ],
      ]);
    case ScalarType.FLOAT:
      return random.pick([
        ...[
          0,
          -0,
          1.5,
          3e38,
          1e-45,
          Math.fround(0.1),
          Number.NaN,
          Infinity,
          -Infinity,
          0.1,
          16777217,
          3.4028234663852886e38,
        ],
      ]);
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return random.pick([
        0,
        1,
        -1,
        127,
        128,
        -128,
        2147483647,
        -2147483648,
        random.below(2 ** 31),
        -random.below(2 ** 31),
      ]);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return random.pick([0, 1, 127, 128, 16384, 2097152, 268435456, 4294967295, random.below(2 ** 32)]);
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return random.pick([
        ...[0n, 1n, -1n, 127n, 128n, 1023n, 1024n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, -(2n ** 53n) - 1n],
        ...[2n ** 63n - 1n, -(2n ** 63n), BigInt.asIntN(64, bits(random)), BigInt.asIntN(40, bits(random))],
      ]);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return random.pick([
        ...[0n, 1n, 127n, 1023n, 1024n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n],
        ...[BigInt.asUintN(64, bits(random)), BigInt.asUintN(40, bits(random))],
      ]);
    default:
      return type satisfies never;
  }
}

function bits(random: Random): bigint {
  return (BigInt(random.below(2 ** 32)) << 32n) ^ BigInt(random.below(2 ** 32));
}
