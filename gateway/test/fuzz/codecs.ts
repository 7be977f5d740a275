import { type DescMessage, type JsonReadOptions, type Message, type Registry, toBinary } from "@bufbuild/protobuf";
import { binaryReader } from "../../codec/binary-reader.ts";
import { binaryWriter } from "../../codec/binary-writer.ts";
import { parseExactJson } from "../../codec/exact-json.ts";
import { createJsonReader, type JsonRead } from "../../codec/json-reader.ts";
import { createJsonWriter } from "../../codec/json-writer.ts";
import { readProtoBinary } from "../../codec/proto-binary.ts";
import { readProtoJson, writeProtoJson } from "../../codec/proto-json.ts";
import { countKeys, countKeysInText } from "../../fields/duplicate-keys.ts";
import type { Fields } from "../../fields/field-path.ts";
import { testMessage, testRegistry } from "../support/test-api.ts";
import { everyKind } from "./every-kind.ts";
import { mutateBinary } from "./mutate-binary.ts";
import { mutateJson } from "./mutate-json.ts";
import { createRandom, type Random } from "./random.ts";
import { randomMessage } from "./random-message.ts";

/** The number of comparisons made. */
export interface FuzzResult {
  readonly messages: number;
  readonly comparisons: number;
}

/** The outcome of a call: its value, or an exception. */
type Outcome = { value: unknown } | { threw: true };

type Same = (what: string, input: unknown, ours: () => unknown, theirs: () => unknown) => unknown;

const readOptions: readonly (Partial<JsonReadOptions> & { registry?: Registry })[] = [
  { registry: testRegistry },
  { registry: testRegistry, ignoreUnknownFields: true },
  {},
];
const jsonReaders = readOptions.map((options) => ({ options, reader: createJsonReader(options) }));

const jsonWriters = [
  { alwaysEmitImplicit: true, useProtoFieldName: false, enumAsInteger: false, registry: testRegistry },
  { alwaysEmitImplicit: false, useProtoFieldName: true, enumAsInteger: true, registry: testRegistry },
  { alwaysEmitImplicit: false, useProtoFieldName: false, enumAsInteger: false },
].map((settings) => ({ settings, writer: createJsonWriter(settings) }));

const wellKnown = ["Any", "Duration", "Empty", "FieldMask", "ListValue", "Struct", "Timestamp", "Value"];
const wrappers = ["Bool", "Bytes", "Double", "Float", "Int32", "Int64", "String", "UInt32", "UInt64"];

const wellKnownTypes = [...wellKnown, ...wrappers.map((name) => `${name}Value`)]
  .map((name) => testRegistry.getMessage(`google.protobuf.${name}`))
  .filter((desc) => desc !== undefined);

/** Messages with fields of every kind. */
const everyKinds = [everyKind(), testMessage("Everything")];

/**
 * Compares the codecs with the library on `count` random messages: written by both; then read by both from the output
 * and from mutated copies of it; then the results of the mutated copies written again.
 *
 * @param registry types to use in addition to those of every kind.
 * @throws Error with the seed and the input of the first difference in a result or in acceptance.
 */
export function fuzzCodecs(seed: number, count: number, registry: Registry = testRegistry): FuzzResult {
  const random = createRandom(seed);
  const types = [everyKinds, wellKnownTypes, [...registry].filter((type) => type.kind === "message")];
  let comparisons = 0;
  for (let at = 0; at < count; at += 1) {
    const desc = random.pick(random.pick(types) ?? []);
    if (desc === undefined) throw new Error("no types");
    const message = randomMessage({ random, valid: random.chance(0.7), registry: testRegistry }, desc);
    compareMessage(random, desc, message, (what, input, ours, theirs) => {
      comparisons += 1;
      const expected = outcome(theirs);
      const actual = outcome(ours);
      if (isSame(actual, expected)) return "value" in expected ? expected.value : undefined;
      throw new Error(
        `seed ${seed}, message ${at}, ${desc.typeName}, ${what}: ${show(input)}\nours: ${show(actual)}\ntheirs: ${show(expected)}`,
      );
    });
  }
  return { messages: count, comparisons };
}

function compareMessage(random: Random, desc: DescMessage, message: Message, same: Same): void {
  const bytes = compareBinaryWrite(desc, message, same);
  if (bytes !== undefined) {
    compareBinaryRead(desc, bytes, same);
    for (let times = 0; times < 2; times += 1) {
      const read = compareBinaryRead(desc, mutateBinary(random, bytes), same);
      if (read !== undefined && random.chance(0.2)) {
        compareBinaryWrite(desc, read, same);
        compareJsonWrite(random, desc, read, same);
      }
    }
  }
  const text = compareJsonWrite(random, desc, message, same);
  if (text !== undefined) {
    compareJsonRead(random, desc, text, same);
    for (let times = 0; times < 2; times += 1) {
      const read = compareJsonRead(random, desc, mutateJson(random, text), same);
      if (read !== undefined && random.chance(0.2)) compareBinaryWrite(desc, read, same);
    }
  }
}

function compareBinaryWrite(desc: DescMessage, message: Message, same: Same): Uint8Array | undefined {
  const ours = (): Uint8Array => binaryWriter(desc)(message);
  return same("to binary", message, ours, () => toBinary(desc, message)) as Uint8Array | undefined;
}

function compareBinaryRead(desc: DescMessage, bytes: Uint8Array, same: Same): Message | undefined {
  const ours = (): Message => binaryReader(desc)(bytes);
  return same("from binary", bytes, ours, () => readProtoBinary(desc, bytes)) as Message | undefined;
}

function compareJsonWrite(random: Random, desc: DescMessage, message: Message, same: Same): string | undefined {
  const { settings, writer } = random.pick(jsonWriters) ?? jsonWriters[0] ?? {};
  if (settings === undefined || writer === undefined) return undefined;
  const ours = (): string => writer(desc)(message);
  const what = `to JSON with ${show({ ...settings, registry: "registry" in settings })}`;
  return same(what, message, ours, () => JSON.stringify(writeProtoJson(desc, message, settings))) as string | undefined;
}

function compareJsonRead(random: Random, desc: DescMessage, text: string, same: Same): Message | undefined {
  const { options, reader } = random.pick(jsonReaders) ?? { options: {}, reader: createJsonReader({}) };
  const what = `from JSON with ${show({ ...options, registry: "registry" in options })}`;
  const ours = (): Message => readText(reader(desc), text);
  const theirs = (): Message => readText((json) => readProtoJson(desc, json, options), text);
  return same(what, text, ours, theirs) as Message | undefined;
}

function readText(read: JsonRead, text: string): Message {
  const json = parseExactJson(text);
  if (countKeysInText(text) !== countKeys(json)) throw new Error("an object has a key twice");
  return read(json);
}

function outcome(call: () => unknown): Outcome {
  try {
    return { value: call() };
  } catch {
    return { threw: true };
  }
}

/** Compares without prototypes and member order, as the library does. */
function isSame(left: unknown, right: unknown): boolean {
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) {
    return Object.is(left, right);
  }
  if (left instanceof Uint8Array && right instanceof Uint8Array) return Buffer.compare(left, right) === 0;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  for (const key of keys) {
    if (!Object.hasOwn(right, key) || !isSame((left as Fields)[key], (right as Fields)[key])) return false;
  }
  return true;
}

function show(value: unknown): string {
  const text = JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "bigint" ? `${inner}n` : inner instanceof Uint8Array ? Buffer.from(inner).toString("hex") : inner,
  );
  return String(text).slice(0, 3000);
}
