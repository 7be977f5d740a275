import { isDeepStrictEqual } from "node:util";
import {
  type DescMessage,
  fromBinary,
  fromJsonString,
  type JsonValue,
  type Message,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { binaryReader } from "../codec/binary-reader.ts";
import { binaryWriter } from "../codec/binary-writer.ts";
import { createJsonReader } from "../codec/json-reader.ts";
import { createJsonWriter } from "../codec/json-writer.ts";
import { countKeys, countKeysInText } from "../duplicate-keys.ts";
import { testMessage, testRegistry } from "../testing/test-api.ts";
import { createRandom, type Random, randomMessage } from "./random-message.ts";

/** What a call came to: its value, or that it threw. */
type Outcome = { value: unknown } | { threw: true };

function outcome(call: () => unknown): Outcome {
  try {
    return { value: call() };
  } catch {
    return { threw: true };
  }
}

/** How many comparisons were made. */
export interface FuzzResult {
  readonly messages: number;
  readonly comparisons: number;
}

const options = { registry: testRegistry };
const jsonReader = createJsonReader(options);
const settings = [
  { alwaysEmitImplicit: true, useProtoFieldName: false, enumAsInteger: false, registry: testRegistry },
  { alwaysEmitImplicit: false, useProtoFieldName: true, enumAsInteger: true, registry: testRegistry },
] as const;
const jsonWriters = settings.map((each) => ({ settings: each, writer: createJsonWriter(each) }));

/** The types that are compared: every kind of field, what the library does by itself, and well-known types. */
export const fuzzedTypes: readonly DescMessage[] = [
  testMessage("Everything"),
  testMessage("Everything"),
  testMessage("Book"),
  testMessage("Nested"),
  testMessage("ListBooksResponse"),
  testMessage("UpdateBookRequest"),
  ...["Value", "Struct", "Timestamp", "Duration", "FieldMask", "Any", "Int64Value", "FileDescriptorProto"].map(
    (name) => {
      const desc = testRegistry.getMessage(`google.protobuf.${name}`);
      if (desc === undefined) throw new Error(name);
      return desc;
    },
  ),
];

/**
 * Compares the codecs with the library on `count` random messages: written by both, read by both from what was written
 * and from a broken copy of it.
 *
 * @throws Error with the seed and the input of the first difference in a result or in acceptance.
 */
export function fuzzCodecs(seed: number, count: number): FuzzResult {
  const random = createRandom(seed);
  let comparisons = 0;
  for (let at = 0; at < count; at += 1) {
    const desc = fuzzedTypes[random.below(fuzzedTypes.length)] as DescMessage;
    const message = randomMessage(random, desc, random.chance(0.8));
    const same = (what: string, input: unknown, ours: () => unknown, theirs: () => unknown): unknown => {
      comparisons += 1;
      const expected = outcome(theirs);
      const actual = outcome(ours);
      if (isDeepStrictEqual(plain(actual), plain(expected))) return "value" in expected ? expected.value : undefined;
      throw new Error(
        `seed ${seed}, message ${at}, ${desc.typeName}, ${what}: ${show(input)}\nours: ${show(actual)}\ntheirs: ${show(expected)}`,
      );
    };

    const bytes = same(
      "to binary",
      message,
      () => binaryWriter(desc)(message),
      () => toBinary(desc, message),
    );
    for (const { settings: each, writer } of jsonWriters) {
      const text = same(
        "to JSON",
        message,
        () => writer(desc)(message),
        () => toJsonString(desc, message, each),
      );
      if (typeof text === "string") {
        for (const input of [text, breakText(random, text)]) compareRead(desc, input, same);
      }
    }
    if (bytes instanceof Uint8Array) {
      for (const input of [bytes, breakBytes(random, bytes), breakBytes(random, bytes)]) {
        same(
          "from binary",
          input,
          () => binaryReader(desc)(input),
          () => fromBinary(desc, input),
        );
      }
    }
  }
  return { messages: count, comparisons };
}

function compareRead(
  desc: DescMessage,
  text: string,
  same: (what: string, input: unknown, ours: () => unknown, theirs: () => unknown) => unknown,
): void {
  same(
    "from JSON",
    text,
    () => readText(desc, text),
    () => fromJsonString(desc, text, options),
  );
}

function readText(desc: DescMessage, text: string): Message {
  const json = JSON.parse(text) as JsonValue;
  if (countKeysInText(text) !== countKeys(json)) throw new Error("an object has a key twice");
  return jsonReader(desc)(json);
}

/** Changes a JSON text somewhere: often it stays JSON, often it becomes JSON that the type does not allow. */
function breakText(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  const inserted = random.pick([
    '"',
    "0",
    "-",
    ".5",
    "e3",
    "null",
    "{}",
    "[]",
    ",",
    ":",
    "true",
    "\\ud800",
    " ",
    "}",
    "x",
    "\\u0061",
  ]);
  const removed = random.pick([0, 0, 1, 1, 2, 5]);
  const tokens: [RegExp, string][] = [
    [
      /"[^"\\]*"/g,
      random.pick(['""', "null", "7", '"7"', '"NaN"', "[]", '"1.5"', '"KIND_NOVEL"', '"AQ"', "true", "1e2", "-0"]),
    ],
    [/:-?\d+/g, random.pick([":null", ":1.5", ":-1", ":4294967296", ':"5"', ":1e2", ":-0", ":true", ":1e400"])],
    [/:null/g, ":0"],
    [/\[/g, "[null,"],
  ];
  if (random.chance(0.5)) {
    const [pattern, replacement] = random.pick(tokens) ?? [/x/g, ""];
    const matches = [...text.matchAll(pattern)];
    const match = random.pick(matches);
    if (match !== undefined)
      return text.slice(0, match.index) + replacement + text.slice(match.index + match[0].length);
  }
  return text.slice(0, at) + inserted + text.slice(at + removed);
}

function breakBytes(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  if (copy.length === 0) return Uint8Array.from([random.below(256), random.below(256)]);
  switch (random.below(4)) {
    case 0:
      return copy.subarray(0, random.below(copy.length));
    case 1: {
      copy[random.below(copy.length)] = random.below(256);
      return copy;
    }
    case 2:
      return Uint8Array.from([...copy, ...copy.subarray(0, Math.min(20, copy.length))]);
    default: {
      const at = random.below(copy.length);
      return Uint8Array.from([...copy.subarray(0, at), random.below(256), ...copy.subarray(at)]);
    }
  }
}

/** Prototypes and unset members aside, as the library itself compares messages. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

function show(value: unknown): string {
  const text = JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "bigint" ? `${inner}n` : inner instanceof Uint8Array ? Buffer.from(inner).toString("hex") : inner,
  );
  return String(text).slice(0, 3000);
}
