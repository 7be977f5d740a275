import { create, type Message, toBinary } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { describe, expect, test } from "@jest/globals";
import { createRandom } from "../test/fuzz/random.ts";
import { randomMessage } from "../test/fuzz/random-message.ts";
import { testMessage, testRegistry } from "../test/support/test-api.ts";
import { assertBinaryElements } from "./binary-elements.ts";
import { binaryReader } from "./binary-reader.ts";
import { ElementLimitError } from "./element-limit.ts";
import { assertJsonElements } from "./json-elements.ts";
import { createJsonReader } from "./json-reader.ts";

const everything = testMessage("Everything");

/** Counts the messages, list elements, map entries and unknown fields of a message. */
function elementsOf(message: ReflectMessage): number {
  let count = message.getUnknown()?.length ?? 0;
  for (const field of message.sortedFields) {
    if (!message.isSet(field)) continue;
    switch (field.fieldKind) {
      case "list":
        for (const item of message.get(field)) {
          count += 1 + (field.listKind === "message" ? elementsOf(item as ReflectMessage) : 0);
        }
        break;
      case "map":
        for (const [, value] of message.get(field)) {
          count += 1 + (field.mapKind === "message" ? elementsOf(value as ReflectMessage) : 0);
        }
        break;
      case "message":
        count += 1 + elementsOf(message.get(field));
        break;
      default:
    }
  }
  return count;
}

describe("elements on the wire", () => {
  test("are as many as the decoded message has", () => {
    const seed = 7;
    const random = createRandom(seed);
    for (let round = 0; round < 300; round += 1) {
      const message = randomMessage({ random, valid: true, registry: testRegistry }, everything);
      const bytes = toBinary(everything, message);
      const elements = elementsOf(reflect(everything, message as Message));
      const at = `seed ${seed}, round ${round}`;
      expect([at, exceeds(bytes, elements)]).toEqual([at, false]);
      if (elements > 0) expect([at, exceeds(bytes, elements - 1)]).toEqual([at, true]);
    }
  });

  const exceeds = (bytes: Uint8Array, maxElements: number): boolean => {
    try {
      assertBinaryElements(everything, bytes, maxElements);
      return false;
    } catch (error) {
      if (error instanceof ElementLimitError) return true;
      throw error;
    }
  };

  test.each([
    ["messages in a list", "repeatedNested", { name: "" }],
    ["numbers that are packed", "repeatedInt32", 1],
    ["strings", "repeatedString", ""],
  ])("are rejected before decoding if there are too many: %s", (_, field, value) => {
    const read = binaryReader(everything, { maxElements: 1000 });
    const bytesOf = (count: number): Uint8Array =>
      toBinary(everything, create(everything, { [field]: new Array(count).fill(value) } as never));

    expect(() => read(bytesOf(1000))).not.toThrow();
    expect(() => read(bytesOf(1001))).toThrow(ElementLimitError);
    expect(() => binaryReader(everything)(bytesOf(1001))).not.toThrow();
  });

  test("count in a map entry with repeated keys or values, and in unknown fields", () => {
    const read = binaryReader(everything, { maxElements: 1000 });
    const entries = Object.fromEntries(Array.from({ length: 1001 }, (_, at) => [`k${at}`, "v"]));
    const map = everything.fields.find(
      (field) => field.fieldKind === "map" && field.mapKey === 9 && field.scalar === 9,
    );
    const inEntries = toBinary(everything, create(everything, { [map?.localName ?? ""]: entries } as never));
    const unknown = Buffer.alloc(4004, Buffer.from([0xf8, 0xff, 0x3f, 0x01]));
    const keys = Buffer.alloc(2400, Buffer.from([0x0a, 0x00]));
    const tag = ((map?.number ?? 0) << 3) | 2;
    const inOneEntry = Buffer.concat([
      Buffer.from([(tag & 0x7f) | 0x80, tag >> 7, (keys.length & 0x7f) | 0x80, keys.length >> 7]),
      keys,
    ]);

    for (const bytes of [inEntries, unknown, inOneEntry]) expect(() => read(bytes)).toThrow(ElementLimitError);
  });
});

describe("elements of a JSON text", () => {
  test.each([
    ["elements of an array", `[${"0,".repeat(100)}0]`, 100, 101],
    ["objects in an array", `[${"{},".repeat(99)}{}]`, 99, 101],
    ["arrays in arrays", `${"[".repeat(101)}${"]".repeat(101)}`, 100, 101],
    ["objects in objects", `${'{"a":'.repeat(100)}{}${"}".repeat(100)}`, 125, 126],
    ["members, four as one", `{${'"a":0,'.repeat(399)}"a":0}`, 100, 101],
    ["nothing in strings", `["${"[{,:".repeat(100)}\\"[[[["]`, 0, 1],
  ])("%s", (_, text, tooFew, enough) => {
    if (tooFew > 0) expect(() => assertJsonElements(text, tooFew)).toThrow(ElementLimitError);
    expect(() => assertJsonElements(text, enough)).not.toThrow();
  });

  test("are counted even if the text is not valid JSON", () => {
    expect(() => assertJsonElements(`[0${",".repeat(1000)}`, 100)).toThrow(ElementLimitError);
    expect(() => assertJsonElements(`["${"x".repeat(1000)}`, 100)).not.toThrow();
    expect(() => assertJsonElements(`["${"\\".repeat(1001)}`, 100)).not.toThrow();
  });
});

describe("integers longer than any type can hold", () => {
  const long = "1".repeat(100_000);
  const read = createJsonReader({ registry: testRegistry })(everything);

  test.each([
    ["a field", { int64Field: long }],
    ["a field by its proto name", { uint64_field: long }],
    ["a field of 32 bits", { int32Field: long }],
    ["an element of a list", { repeatedInt64: ["1", long] }],
    ["a field of a message in a message", { recursive: { recursive: { sint64Field: long } } }],
    ["a wrapper", { int64Value: long }],
    ["the key of a map", { int64Map: { [long]: "a" } }],
    ["inside an Any", { any: { "@type": `type.googleapis.com/${everything.typeName}`, int64Field: long } }],
  ])("are rejected before they are parsed: %s", (_, json) => {
    // An unknown field would be rejected for another reason.
    for (const name of Object.keys(json)) {
      expect(everything.fields.some((field) => field.jsonName === name || field.name === name)).toBe(true);
    }
    expect(() => read(json)).toThrow(/not an integer/);
  });

  test("do not include long digit sequences in strings and bytes", () => {
    expect(read({ stringField: long, bytesField: long })).toMatchObject({ stringField: long });
  });
});
