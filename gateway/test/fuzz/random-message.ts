import {
  create,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type Message,
  type Registry,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import type { Random } from "./random.ts";
import { randomScalar } from "./random-scalar.ts";

/** Inputs of random messages. */
export interface MessageRules {
  readonly random: Random;
  /** If false, some values do not match their fields' types. */
  readonly valid: boolean;
  /** Types for the contents of an Any. */
  readonly registry: Registry;
}

/** A random message. Well-known types mostly have valid values, and unknown fields occur too. */
export function randomMessage(rules: MessageRules, desc: DescMessage, depth = 0): Message {
  const { random } = rules;
  const known = random.chance(0.85) ? wellKnown(rules, desc, depth) : undefined;
  if (known !== undefined) return create(desc, known as never);
  const message = create(desc);
  const target = message as unknown as Record<string, unknown>;
  // Small messages are fast, and many of them cover more than a few large ones.
  const share = Math.min(1, 12 / desc.members.length);
  const density = depth === 0 ? random.pick([0.05, share, share, 0.4]) : share / (depth + 1);
  for (const member of desc.members) {
    if (member.kind === "oneof") {
      if (!random.chance(density * 1.5)) continue;
      const field = random.pick(member.fields);
      if (field === undefined) continue;
      const value = randomValue(rules, field, depth);
      if (value !== undefined) target[member.localName] = { case: field.localName, value };
      continue;
    }
    if (!random.chance(density)) continue;
    const value = randomField(rules, member, depth);
    if (value !== undefined) target[member.localName] = value;
  }
  if (random.chance(0.03)) message.$unknown = [{ no: 9999, wireType: 0, data: new Uint8Array([5]) }];
  return message;
}

function randomField(rules: MessageRules, field: DescField, depth: number): unknown {
  const { random } = rules;
  const count = random.pick([0, 1, 1, 2, 5]);
  switch (field.fieldKind) {
    case "list": {
      const items = Array.from({ length: count }, () => randomValue(rules, field, depth));
      return items.filter((item) => item !== undefined);
    }
    case "map": {
      const record: Record<string, unknown> = {};
      for (let at = 0; at < count; at += 1) {
        const value = randomValue(rules, field, depth);
        if (value === undefined) continue;
        const key = String(randomScalar(random, field.mapKey, true));
        // An own property even if the name exists on every object.
        Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true });
      }
      return record;
    }
    default:
      return randomValue(rules, field, depth);
  }
}

function randomValue(rules: MessageRules, field: DescField, depth: number): unknown {
  const { random, valid } = rules;
  if (field.enum !== undefined) {
    const known = random.pick(field.enum.values)?.number ?? 0;
    return random.chance(0.1) ? random.pick([99, -5, 2147483647, -2147483648]) : known;
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
  // The library represents a Struct as plain JSON, and a wrapper in a singular field as its value.
  if (typeName === "google.protobuf.Struct" && field.parent.typeName !== "google.protobuf.Value") {
    return randomObject(random, 0);
  }
  if (/^google\.protobuf\.\w+Value$/.test(typeName) && field.fieldKind === "message" && field.oneof === undefined) {
    const [inner] = field.message.fields;
    if (inner?.scalar !== undefined && inner.name === "value") return randomScalar(random, inner.scalar, valid);
  }
  return randomMessage(rules, field.message, depth + 1);
}

const day = 86_400n;
const fractions = [0, 0, 1, 500_000_000, 999_999_999, 123_000, 1_000_000, 120_000_000] as const;

/** The members of a well-known type, mostly valid ones; undefined for other types. */
function wellKnown({ random, valid, registry }: MessageRules, desc: DescMessage, depth: number): object | undefined {
  switch (desc.typeName) {
    case "google.protobuf.Timestamp":
      return {
        seconds: random.pick([
          ...[0n, 1n, -1n, 1_600_000_000n, 253_402_300_799n, 253_402_300_800n, -62_135_596_800n, -62_135_596_801n],
          ...[1_582_934_400n, 68_212_800n * 25n, BigInt(random.below(40_000)) * day - 1n],
        ]),
        nanos: random.pick([...fractions, ...(random.chance(0.1) ? [-1, 1_000_000_000] : [])]),
      };
    case "google.protobuf.Duration": {
      const sign = random.pick([1, -1]);
      return {
        seconds:
          BigInt(sign) * random.pick([0n, 1n, 3600n, 999_999_999n, 1_000_000_000n, 315_576_000_000n, 315_576_000_001n]),
        nanos: random.chance(0.9) ? sign * random.pick(fractions) : random.pick([5, -5, 1_000_000_000]),
      };
    }
    case "google.protobuf.FieldMask":
      return { paths: random.pick([[], ["a"], ["a_b.c"], ["a_b", "c.d_e"], ["aB"], [""], ["a__b"], ["a_1"], ["a,b"]]) };
    case "google.protobuf.Any": {
      if (depth > 2) return {};
      const inner = random.pick(
        ["Timestamp", "Duration", "Struct", "Value", "Int64Value", "Empty", "Any", "FieldMask", "Missing"].map((name) =>
          registry.getMessage(`google.protobuf.${name}`),
        ),
      );
      if (inner === undefined)
        return { typeUrl: random.pick(["", "a/b.C", "type.googleapis.com/"]), value: new Uint8Array(3) };
      const prefix = random.pick(["type.googleapis.com/", "type.googleapis.com/", "/", "x.example/y/", ""]);
      const message = randomMessage({ random, valid: true, registry }, inner, depth + 1);
      return { typeUrl: prefix + inner.typeName, value: bytesOf(inner, message), ...(valid ? {} : { typeUrl: "x" }) };
    }
    default:
      return undefined;
  }
}

function bytesOf(desc: DescMessage, message: Message): Uint8Array {
  try {
    return toBinary(desc, message);
  } catch {
    return new Uint8Array([1, 2, 3]);
  }
}

const keys = ["a", "", "b c", "__proto__", "toString", "ü", "0", "10"] as const;

function randomObject(random: Random, depth: number): JsonObject {
  const entries = Array.from({ length: random.below(4) }, (): [string, JsonValue] => [
    random.pick(keys),
    randomJson(random, depth + 1),
  ]);
  return Object.fromEntries(entries);
}

/** A random JSON value. */
function randomJson(random: Random, depth: number): JsonValue {
  switch (random.below(depth > 3 ? 4 : 6)) {
    case 0:
      return null;
    case 1:
      return random.chance(0.5);
    case 2:
      return random.pick([0, -0, 1, -1.5, 1e300, 2 ** 53, random.below(100)]);
    case 3:
      return random.pick(["", "x", 'q"\\', "ä\u2028", "NaN"]);
    case 4:
      return Array.from({ length: random.below(3) }, () => randomJson(random, depth + 1));
    default:
      return randomObject(random, depth);
  }
}
