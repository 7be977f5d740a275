import { readFileSync } from "node:fs";
import {
  create,
  createFileRegistry,
  type DescField,
  equals,
  fromBinary,
  type Message,
  setExtension,
} from "@bufbuild/protobuf";
import { FieldOptionsSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "@jest/globals";
import { FieldBehavior, field_behavior } from "../../gen/google/api/field_behavior_pb.js";
import { createRandom } from "../test/fuzz/random.ts";
import { testDescriptorSet } from "../test/support/start-program.ts";
import { testMessage, testRegistry } from "../test/support/test-api.ts";
import { integerOf, parseExactJson } from "./exact-json.ts";
import { createJsonCodec } from "./json-codec.ts";
import { shortestFloat } from "./shortest-float.ts";

const everything = testMessage("Everything");
const codec = createJsonCodec({ registry: testRegistry, emitDefaults: false });
const read = (text: string): Message => codec.read(everything, parseExactJson(text));
const readBack = (text: string): unknown => JSON.parse(codec.write(everything, read(text)));
/** Adds a member that the compiled reader leaves to the library, so that the library reads the whole message. */
const viaLibrary = (text: string): string => text.replace("{", '{"stringField":null,');

describe.each([
  ["the compiled reader", (text: string) => text],
  ["the library", viaLibrary],
])("ProtoJSON by %s", (_, through) => {
  test.each([
    ['{"int64Field":9007199254740993}', { int64Field: "9007199254740993" }],
    ['{"int64Field":-9007199254740993}', { int64Field: "-9007199254740993" }],
    ['{"int64Field":9223372036854775807}', { int64Field: "9223372036854775807" }],
    ['{"int64Field":-9223372036854775808}', { int64Field: "-9223372036854775808" }],
    ['{"uint64Field":18446744073709551615}', { uint64Field: "18446744073709551615" }],
    ['{"fixed64Field":123456789012345e4}', { fixed64Field: "1234567890123450000" }],
    ['{"int64Field":9007199254740993.0}', { int64Field: "9007199254740993" }],
    ['{"repeatedInt64":[1,9007199254740993]}', { repeatedInt64: ["1", "9007199254740993"] }],
    ['{"counterMap":{"a":9007199254740993}}', { counterMap: { a: "9007199254740993" } }],
    ['{"int64Value":9007199254740993}', { int64Value: "9007199254740993" }],
    ['{"oneofInt64":9007199254740993}', { oneofInt64: "9007199254740993" }],
    ['{"jsStringInt64":9007199254740993}', { jsStringInt64: "9007199254740993" }],
    ['{"jsStringUint64s":[18446744073709551615]}', { jsStringUint64s: ["18446744073709551615"] }],
    ['{"recursive":{"sint64Field":9007199254740993}}', { recursive: { sint64Field: "9007199254740993" } }],
    [
      '{"any":{"@type":"type.googleapis.com/gateway.test.v1.Everything","int64Field":9007199254740993}}',
      { any: { "@type": "type.googleapis.com/gateway.test.v1.Everything", int64Field: "9007199254740993" } },
    ],
  ])("a 64-bit integer is exact as a number: %s", (text, expected) => {
    expect(readBack(through(text))).toEqual(expected);
  });

  test.each([
    ['{"doubleField":9007199254740993}', { doubleField: 9007199254740992 }],
    ['{"struct":{"a":[9007199254740993]}}', { struct: { a: [9007199254740992] } }],
    ['{"value":18446744073709551615}', { value: 18446744073709552000 }],
    ['{"doubleField":"1.5e3"}', { doubleField: 1500 }],
  ])("a double is the nearest one: %s", (text, expected) => {
    expect(readBack(through(text))).toEqual(expected);
  });

  test.each([
    '{"int64Field":9223372036854775808}',
    '{"uint64Field":-1}',
    '{"uint64Field":18446744073709551616}',
    '{"stringField":9007199254740993}',
    '{"int32Field":9007199254740993}',
    '{"enumField":9007199254740993}',
    '{"nested":9007199254740993}',
  ])("an integer out of range is rejected: %s", (text) => {
    expect(() => read(through(text))).toThrow();
  });

  test.each([
    "2021-02-30T00:00:00Z",
    "2021-02-29T00:00:00Z",
    "2021-04-31T12:00:00Z",
    "1900-02-29T00:00:00Z",
    "2021-01-32T00:00:00Z",
    "2021-01-01T24:00:00Z",
    "2021-04-31T00:00:00+02:00",
    "2021-01-01T00:00:00+24:00",
  ])("a nonexistent time is rejected: %s", (time) => {
    for (const text of [
      `{"timestamp":"${time}"}`,
      `{"repeatedTimestamp":["${time}"]}`,
      `{"timestampMap":{"a":"${time}"}}`,
      `{"any":{"@type":"type.googleapis.com/google.protobuf.Timestamp","value":"${time}"}}`,
    ]) {
      expect(() => read(through(text))).toThrow();
    }
  });

  test.each(["2000-02-29T00:00:00Z", "2024-02-29T23:59:59.5Z", "1969-12-31T23:59:59Z"])(
    "an existing time is accepted: %s",
    (time) => {
      expect(JSON.stringify(readBack(through(`{"timestamp":"${time}"}`)))).toContain(time.slice(0, 19));
    },
  );

  test.each(["oneofNested", "oneofWrapper", "oneofEnum", "oneofString", "oneofInt32", "oneofBytes", "oneofStruct"])(
    "null leaves a member of a oneof unset: %s",
    (name) => {
      expect(readBack(through(`{"${name}":null}`))).toEqual({});
      const other = name === "oneofString" ? "oneofInt64" : "oneofString";
      expect(readBack(through(`{"${name}":null,"${other}":"7"}`))).toEqual({ [other]: "7" });
      expect(readBack(through(`{"${other}":"7","${name}":null}`))).toEqual({ [other]: "7" });
    },
  );

  test.each(["oneofValue", "oneofNull"])("null is a value of %s", (name) => {
    expect(readBack(through(`{"${name}":null}`))).toEqual({ [name]: null });
    expect(() => read(through(`{"${name}":null,"oneofString":"a"}`))).toThrow();
  });

  test.each([
    ['{"int32Field":"1e3"}', { int32Field: 1000 }],
    ['{"uint32Field":"1.0"}', { uint32Field: 1 }],
    ['{"int64Field":"9.007199254740993e15"}', { int64Field: "9007199254740993" }],
    ['{"int64Field":"12e0"}', { int64Field: "12" }],
    ['{"uint64Value":"1e3"}', { uint64Value: "1000" }],
    ['{"floatField":"-1E-1"}', { floatField: -0.1 }],
  ])("a quoted number may have a fraction or an exponent: %s", (text, expected) => {
    expect(equals(everything, read(through(text)), read(JSON.stringify(expected)))).toBe(true);
  });

  test.each([
    ...["int32Field", "uint32Field", "int64Field", "uint64Field", "doubleField", "floatField", "int64Value"].flatMap(
      (name) => ["0x1", "0b1", "0o7", "1_0", "+1", " 1", "1 ", "", "1.", ".5", "1.5.2"].map((value) => [name, value]),
    ),
    ...["int32Field", "int64Field"].flatMap((name) => ["1.5", "1e-1", "NaN", "1e400"].map((value) => [name, value])),
    ["doubleField", "1e400"],
  ])("a quoted non-number is rejected: %s %s", (name, value) => {
    expect(() => read(through(JSON.stringify({ [name ?? ""]: value })))).toThrow();
  });

  test.each(["int32Map", "int64Map", "uint64Map"])("a non-integer key is rejected: %s", (name) => {
    const value = name === "uint64Map" ? "true" : '"a"';
    for (const key of ["0x1", "1e0", " 1", ""]) {
      expect(() => read(through(`{"${name}":{"${key}":${value}}}`))).toThrow();
    }
    expect(
      Object.keys((readBack(through(`{"${name}":{"17":${value}}}`)) as Record<string, object>)[name] ?? {}),
    ).toEqual(["17"]);
  });
});

test.each([
  ["0", 0n],
  ["-0", 0n],
  ["1e2", 100n],
  ["1.20e1", 12n],
  ["1.25e1", undefined],
  ["0.0e-9", 0n],
  ["-100e-2", -1n],
  ["1e-2", undefined],
  ["1e99999", undefined],
  ["01", undefined],
  ["1e", undefined],
])("the exact integer of %s is %s", (text, expected) => {
  expect(integerOf(text)).toBe(expected);
});

describe.each([
  ["the compiled writer", (message: Message) => message],
  // Unknown fields are left to the library, since extensions are among them.
  [
    "the library",
    (message: Message) => Object.assign(message, { $unknown: [{ no: 9999, wireType: 0, data: new Uint8Array([1]) }] }),
  ],
])("ProtoJSON written by %s", (_, through) => {
  const write = (text: string): unknown => JSON.parse(codec.write(everything, through(read(text))));

  test.each([
    0.1, 0.2, 0.3, 1.1, 3.4028234e38, 3.4028235e38, 1.1754944e-38, 1e-45, 1.4e-44, 16777216, 16777217, 33554431,
    123456.79, 8388608.5, 1e10, 9.999999e9, -0.7,
  ])("a float has the fewest digits that read back as the same float: %s", (value) => {
    const { floatField, repeatedFloat, floatValue, sint32Map } = write(
      `{"floatField":${value},"repeatedFloat":[${value}],"floatValue":${value},"sint32Map":{"1":${value}}}`,
    ) as Record<string, number> & { repeatedFloat: number[]; sint32Map: Record<string, number> };
    expect(Math.fround(floatField ?? 0)).toBe(Math.fround(value));
    expect(String(floatField).length).toBeLessThanOrEqual(String(value).length);
    expect([repeatedFloat, floatValue, sint32Map]).toEqual([[floatField], floatField, { 1: floatField }]);
  });

  test("a float in an Any is shortened too, and a double keeps all of its digits", () => {
    const type = "type.googleapis.com/gateway.test.v1.Everything";
    const text = `{"any":{"@type":"${type}","floatField":0.1},"doubleField":0.10000000149011612}`;
    expect(write(text)).toEqual(JSON.parse(text));
  });
});

test("every float reads back from its written form", () => {
  const seed = Date.now() % 2 ** 31;
  const random = createRandom(seed);
  for (let at = 0; at < 20_000; at += 1) {
    const float = new Float32Array(new Uint32Array([random.below(2 ** 32)]).buffer)[0] ?? 0;
    if (!Number.isFinite(float)) continue;
    const short = shortestFloat(float);
    if (!Object.is(Math.fround(short), float)) throw new Error(`seed ${seed}: ${float} is written as ${short}`);
    if (String(short).length > String(float).length) throw new Error(`seed ${seed}: ${short} is longer than ${float}`);
  }
});

test.each([
  ["the compiled writer", {}],
  ["the library", { $unknown: [{ no: 9999, wireType: 0, data: new Uint8Array([1]) }] }],
])("a field that is INPUT_ONLY is never written by %s, set or not", (_, rest) => {
  const set = fromBinary(FileDescriptorSetSchema, readFileSync(testDescriptorSet));
  const field = set.file
    .flatMap(({ messageType }) => messageType)
    .find(({ name }) => name === "Nested")
    ?.field.find(({ name }) => name === "name");
  if (field === undefined) throw new Error("no Nested.name");
  field.options = create(FieldOptionsSchema);
  setExtension(field.options, field_behavior, [FieldBehavior.INPUT_ONLY]);
  const registry = createFileRegistry(set);
  const nested = registry.getMessage("gateway.test.v1.Nested");
  if (nested === undefined) throw new Error("no Nested");
  const { read: readNested, write, writeField } = createJsonCodec({ registry });
  const message = readNested(nested, { name: "secret", child: { name: "secret" }, tags: ["a"] });
  Object.assign(message, rest);
  const child = { count: 0, tags: [] };
  expect(JSON.parse(write(nested, message))).toEqual({ count: 0, child, tags: ["a"] });
  expect(JSON.parse(writeField(nested, message, nested.field["child"] as DescField))).toEqual(child);
});
