import { equals, type Message } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { createJsonCodec } from "../json-codec.ts";
import { testMessage, testRegistry } from "../testing/test-api.ts";
import { integerOf, parseExactJson } from "./exact-json.ts";

const everything = testMessage("Everything");
const codec = createJsonCodec({ registry: testRegistry, emitDefaults: false });
const read = (text: string): Message => codec.read(everything, parseExactJson(text));
const readBack = (text: string): unknown => JSON.parse(codec.write(everything, read(text)));
/** Beside a member that the compiled reader leaves to the library, so that the library reads all of it. */
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
  ])("an integer that does not fit is refused: %s", (text) => {
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
  ])("a time that does not exist is refused: %s", (time) => {
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
    "a time that exists is taken: %s",
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
  ])("a quoted text that is no number is refused: %s %s", (name, value) => {
    expect(() => read(through(JSON.stringify({ [name ?? ""]: value })))).toThrow();
  });

  test.each(["int32Map", "int64Map", "uint64Map"])("a key that is no integer is refused: %s", (name) => {
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
])("the integer that %s says is %s", (text, expected) => {
  expect(integerOf(text)).toBe(expected);
});
