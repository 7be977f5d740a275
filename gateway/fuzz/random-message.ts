import { create, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";

/** Random numbers from a seed, so that a failure can be made again. */
export interface Random {
  /** An integer from 0 up to, without, `limit`. */
  below(limit: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly [T, ...T[]]): T;
  pick<T>(items: readonly T[]): T | undefined;
}

/** xorshift32. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
  const below = (limit: number): number => next() % limit;
  return {
    below,
    chance: (probability) => next() / 2 ** 32 < probability,
    pick: <T>(items: readonly T[]) => items[below(items.length)] as T,
  };
}

const texts = [
  "",
  "a",
  "hello world",
  "ä",
  "📚 books",
  "\u0000",
  'quote " and \\ back',
  "line\nbreak",
  "\u2028",
  "x".repeat(33),
  "ü".repeat(40),
  "y".repeat(200),
  "__proto__",
  "\ufeffbom",
  "\ufffd",
] as const;

/** A random value of a scalar type; now and then one that is not of it, where `valid` is false. */
export function randomScalar(random: Random, type: ScalarType, valid: boolean): unknown {
  if (!valid && random.chance(0.05)) {
    return random.pick([
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
    ]);
  }
  const bits = (): bigint =>
    (BigInt(random.below(2 ** 31)) << 33n) ^ BigInt(random.below(2 ** 32)) ^ (BigInt(random.below(2)) << 63n);
  switch (type) {
    case ScalarType.STRING:
      return random.pick(texts);
    case ScalarType.BOOL:
      return random.chance(0.5);
    case ScalarType.BYTES:
      return Uint8Array.from({ length: random.pick([0, 1, 2, 3, 10, 200]) }, () => random.below(256));
    case ScalarType.DOUBLE:
      return random.pick([0, -0, 1.5, 1e300, -1e-300, Number.NaN, Infinity, -Infinity, random.below(1000), 0.1]);
    case ScalarType.FLOAT:
      return random.pick([0, -0, 1.5, 3e38, Math.fround(0.1), Number.NaN, Infinity, -Infinity, 0.1]);
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return random.pick([0, 1, -1, 127, 128, 2147483647, -2147483648, random.below(2 ** 31)]);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return random.pick([0, 1, 127, 128, 16384, 2097152, 268435456, 4294967295, random.below(2 ** 32)]);
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return random.pick([
        0n,
        1n,
        -1n,
        127n,
        4294967295n,
        4294967296n,
        2n ** 63n - 1n,
        -(2n ** 63n),
        BigInt.asIntN(64, bits()),
      ]);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return random.pick([
        0n,
        1n,
        127n,
        4294967295n,
        4294967296n,
        2n ** 63n,
        2n ** 64n - 1n,
        BigInt.asUintN(64, bits()),
      ]);
    default:
      return type satisfies never;
  }
}

/** A random message. Where `valid` is false, some values are not of their fields' types. */
export function randomMessage(random: Random, desc: DescMessage, valid: boolean, depth = 0): Message {
  const message = create(desc);
  const target = message as unknown as Record<string, unknown>;
  const density = depth === 0 ? random.pick([0.05, 0.2, 0.6]) : 0.3 / depth;
  for (const member of desc.members) {
    if (member.kind === "oneof") {
      if (!random.chance(density * 1.5)) continue;
      const field = random.pick(member.fields);
      if (field === undefined) continue;
      const value = randomValue(random, field, valid, depth);
      if (value !== undefined) target[member.localName] = { case: field.localName, value };
      continue;
    }
    if (!random.chance(density)) continue;
    const value = randomField(random, member, valid, depth);
    if (value !== undefined) target[member.localName] = value;
  }
  if (!valid && random.chance(0.02)) {
    message.$unknown = [{ no: 9999, wireType: 0, data: new Uint8Array([5]) }];
  }
  return message;
}

function randomField(random: Random, field: DescField, valid: boolean, depth: number): unknown {
  const count = random.pick([0, 1, 1, 2, 5]);
  switch (field.fieldKind) {
    case "list": {
      const items = Array.from({ length: count }, () => randomValue(random, field, valid, depth));
      return items.filter((item) => item !== undefined);
    }
    case "map": {
      const record: Record<string, unknown> = {};
      for (let at = 0; at < count; at += 1) {
        const key = String(randomScalar(random, field.mapKey, true));
        const value = randomValue(random, field, valid, depth);
        if (value !== undefined && key !== "__proto__") record[key] = value;
      }
      return record;
    }
    default:
      return randomValue(random, field, valid, depth);
  }
}

function randomValue(random: Random, field: DescField, valid: boolean, depth: number): unknown {
  if (field.enum !== undefined) {
    const known = random.pick(field.enum.values)?.number ?? 0;
    return random.chance(0.1) ? random.pick([99, -5, 2147483647]) : known;
  }
  if (field.message === undefined) {
    const value = randomScalar(random, field.scalar ?? ScalarType.STRING, valid);
    const isText =
      (field.fieldKind === "scalar" || (field.fieldKind === "list" && field.listKind === "scalar")) &&
      field.longAsString;
    return isText && typeof value === "bigint" ? String(value) : value;
  }
  if (depth > 4) return undefined;
  const { typeName } = field.message;
  const isField = field.parent.typeName !== "google.protobuf.Value";
  if (typeName === "google.protobuf.Struct" && isField) {
    return random.pick([{}, { a: 1 }, { a: { b: [1, null, true, "x"] } }, { "": "" }]);
  }
  if (/^google\.protobuf\.\w+Value$/.test(typeName) && field.fieldKind === "message" && field.oneof === undefined) {
    const [inner] = field.message.fields;
    if (inner?.scalar !== undefined && inner.name === "value") return randomScalar(random, inner.scalar, valid);
  }
  if (typeName === "google.protobuf.Timestamp" && random.chance(0.9)) {
    const seconds = random.pick([0n, 1n, 1_600_000_000n, 253_402_300_799n, -62_135_596_800n, -1n, 1_582_934_400n]);
    return create(field.message, { seconds, nanos: random.pick([0, 1, 500_000_000, 999_999_999, 123_000]) } as never);
  }
  if (typeName === "google.protobuf.Duration" && random.chance(0.9)) {
    return create(field.message, {
      seconds: random.pick([0n, 1n, 3600n, -5n]),
      nanos: random.pick([0, 1, 500_000_000]),
    } as never);
  }
  if (typeName === "google.protobuf.FieldMask") {
    return create(field.message, { paths: random.pick([[], ["a"], ["a_b.c"], ["aB"]]) } as never);
  }
  return randomMessage(random, field.message, valid, depth + 1);
}
