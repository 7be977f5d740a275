import { create, createFileRegistry, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import {
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "@jest/globals";
import { binaryReader } from "./binary-reader.ts";
import { binaryWriter } from "./binary-writer.ts";
import { createJsonCodec } from "./json-codec.ts";

const jsonNameOf = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
const enumField = (name: string, number: number, label = Label.OPTIONAL) => ({
  name,
  jsonName: jsonNameOf(name),
  number,
  label,
  type: Type.ENUM,
  typeName: ".closed.Kind",
});
const messageField = (name: string, number: number, typeName: string, label = Label.OPTIONAL) => ({
  name,
  jsonName: jsonNameOf(name),
  number,
  label,
  type: Type.MESSAGE,
  typeName,
});
const entry = (name: string, value: ReturnType<typeof messageField>) => ({
  name,
  field: [{ name: "key", number: 1, label: Label.OPTIONAL, type: Type.STRING }, value],
  options: { mapEntry: true },
});

const registry = createFileRegistry(
  create(FileDescriptorSetSchema, {
    file: [
      {
        name: "google/protobuf/any.proto",
        package: "google.protobuf",
        syntax: "proto3",
        messageType: [
          {
            name: "Any",
            field: [
              { name: "type_url", number: 1, label: Label.OPTIONAL, type: Type.STRING },
              { name: "value", number: 2, label: Label.OPTIONAL, type: Type.BYTES },
            ],
          },
        ],
      },
      {
        name: "closed.proto",
        package: "closed",
        syntax: "proto2",
        enumType: [
          {
            name: "Kind",
            value: [
              { name: "A", number: 1 },
              { name: "B", number: 2 },
            ],
          },
        ],
        messageType: [
          {
            name: "Thing",
            field: [
              enumField("one", 1),
              enumField("many", 2, Label.REPEATED),
              messageField("named", 3, ".closed.Thing.NamedEntry", Label.REPEATED),
              messageField("inner", 4, ".closed.Thing"),
              messageField("inners", 5, ".closed.Thing", Label.REPEATED),
              messageField("things", 6, ".closed.Thing.ThingsEntry", Label.REPEATED),
              { ...messageField("chosen", 7, ".closed.Thing"), oneofIndex: 0 },
              { ...enumField("chosen_kind", 8), oneofIndex: 0 },
            ],
            oneofDecl: [{ name: "choice" }],
            nestedType: [
              entry("NamedEntry", enumField("value", 2)),
              entry("ThingsEntry", messageField("value", 2, ".closed.Thing")),
            ],
          },
        ],
      },
      {
        name: "holder.proto",
        package: "closed",
        syntax: "proto3",
        dependency: ["closed.proto", "google/protobuf/any.proto"],
        messageType: [
          {
            name: "Holder",
            field: [messageField("thing", 1, ".closed.Thing"), messageField("any", 2, ".google.protobuf.Any")],
          },
        ],
      },
    ],
  }),
);
const desc = (name: string): DescMessage => {
  const found = registry.getMessage(name);
  if (found === undefined) throw new Error(`no message ${name}`);
  return found;
};
const thing = desc("closed.Thing");
const holder = desc("closed.Holder");
const codec = createJsonCodec({ registry, emitDefaults: false });
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const rewritten = (type: DescMessage, bytes: string): { json: unknown; bytes: string } => {
  const message = binaryReader(type)(Buffer.from(bytes, "hex"));
  return { json: JSON.parse(codec.write(type, message)), bytes: hex(binaryWriter(type)(message)) };
};
const readJson = (type: DescMessage, json: object): Message => codec.read(type, codec.parse(JSON.stringify(json)));

describe("an unknown number of a closed enum", () => {
  // Known values are written first, then the unknown fields in their original order.
  test.each([
    ["in a list", thing, "100110631002", { many: ["A", "B"] }, "100110021063"],
    ["in a packed list", thing, "1203016302", { many: ["A", "B"] }, "100110021063"],
    ["negative in a list", thing, "10ffffffffffffffffff01", {}, "10ffffffffffffffffff01"],
    ["in a map", thing, "1a050a01611063", {}, "1a050a01611063"],
    [
      "in a map beside others",
      thing,
      "1a050a016110631a050a01621002",
      { named: { b: "B" } },
      "1a050a016210021a050a01611063",
    ],
    ["alone", thing, "0863", {}, "0863"],
    ["in a message in a list", thing, "2a021063", { inners: [{}] }, "2a021063"],
    ["in a message in a map", thing, "32070a016112021063", { things: { a: {} } }, "32070a016112021063"],
    ["in a member of a oneof", thing, "3a021063", { chosen: {} }, "3a021063"],
    ["in a message of proto3", holder, "0a021063", { thing: {} }, "0a021063"],
  ])("on the wire is an unknown field: %s", (_, type, bytes, json, expected) => {
    expect(rewritten(type, bytes)).toEqual({ json, bytes: expected });
  });

  test.each([
    ["in a list", thing, { many: ["A", 99, 2] }, "100110021063"],
    ["in a map", thing, { named: { a: 99, b: "B" } }, "1a050a016210021a050a01611063"],
    ["alone", thing, { one: 99 }, "0863"],
    ["negative", thing, { one: -1 }, "08ffffffffffffffffff01"],
    ["in a message", thing, { inner: { many: [99] } }, "22021063"],
    ["in a message in a list", thing, { inners: [{}, { many: [99] }] }, "2a002a021063"],
    ["in a message in a map", thing, { things: { a: { many: [99] } } }, "32070a016112021063"],
    ["in a member of a oneof", thing, { chosen: { many: [99] } }, "3a021063"],
    ["as a member of a oneof", thing, { chosenKind: 99 }, "4063"],
    ["in a message of proto3", holder, { thing: { many: [99] } }, "0a021063"],
  ])("in JSON is an unknown field: %s", (_, type, json, expected) => {
    expect(hex(toBinary(type, readJson(type, json)))).toBe(expected);
  });

  test("in JSON is an unknown field in an Any", () => {
    const message = readJson(holder, { any: { "@type": "type.googleapis.com/closed.Thing", many: [1, 99] } });
    const { any } = message as unknown as { any: { value: Uint8Array } };
    expect(hex(any.value)).toBe("10011063");
    expect(fromBinary(holder, toBinary(holder, message))).toMatchObject({ any: { value: any.value } });
  });

  test.each([{ many: ["C"] }, { many: [1.5] }, { many: [2 ** 31] }, { named: { a: "C" } }, { many: [null] }])(
    "in JSON is a 32-bit number and never a name: %j is rejected",
    (json) => {
      expect(() => readJson(thing, json)).toThrow();
    },
  );
});
