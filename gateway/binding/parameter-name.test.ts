import { create, createFileRegistry, toJson } from "@bufbuild/protobuf";
import {
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "@jest/globals";
import { bindForm } from "./form-data.ts";
import { bindQuery } from "./query-string.ts";

const field = (name: string, jsonName: string, number: number, typeName?: string, label = Label.OPTIONAL) => ({
  name,
  jsonName,
  number,
  label,
  ...(typeName === undefined ? { type: Type.STRING } : { type: Type.MESSAGE, typeName }),
});

const registry = createFileRegistry(
  create(FileDescriptorSetSchema, {
    file: [
      {
        name: "odd.proto",
        package: "odd",
        syntax: "proto3",
        messageType: [
          {
            name: "Odd",
            field: [
              field("bracketed", "a[b]", 1),
              field("dotted", "x.y", 2),
              field("labels", "m[k]", 3, ".odd.Odd.LabelsEntry", Label.REPEATED),
              field("inner", "in.ner", 4, ".odd.Odd"),
              field("plain", "plain", 5),
              field("x", "x", 6, ".odd.Odd"),
              { ...field("raw", "raw[0]", 7), type: Type.BYTES },
            ],
            nestedType: [
              {
                name: "LabelsEntry",
                field: [field("key", "key", 1), field("value", "value", 2)],
                options: { mapEntry: true },
              },
            ],
          },
        ],
      },
    ],
  }),
);
const odd = registry.getMessage("odd.Odd");
if (odd === undefined) throw new Error("no message Odd");

const bind = (query: string): unknown => {
  const message = create(odd);
  const violations = bindQuery(message, query, { root: odd, bound: [], ignoreUnknown: false });
  return violations.length > 0 ? violations : toJson(odd, message);
};

describe("a parameter", () => {
  test.each([
    ["a[b]=1", { "a[b]": "1" }],
    ["a%5Bb%5D=1", { "a[b]": "1" }],
    ["x.y=1", { "x.y": "1" }],
    ["m[k][en.US]=1", { "m[k]": { "en.US": "1" } }],
    ["labels[a[b]]=1", { "m[k]": { "a[b]": "1" } }],
    ["in.ner.in.ner.x.y=1", { "in.ner": { "in.ner": { "x.y": "1" } } }],
    ["in.ner.a[b]=1", { "in.ner": { "a[b]": "1" } }],
    ["inner.m[k][z]=1", { "in.ner": { "m[k]": { z: "1" } } }],
    ["x.plain=1", { x: { plain: "1" } }],
    ["x.x.y=1", { x: { "x.y": "1" } }],
  ])("finds a field whose JSON name contains brackets or dots: %s", (query, expected) => {
    expect(bind(query)).toEqual(expected);
  });

  test.each(["a[c]=1", "x.z=1", "in.ner.none=1", "plain[k]=1", "m[k].a=1"])(
    "that names no field is rejected: %s",
    (query) => {
      expect(bind(query)).toHaveLength(1);
    },
  );

  test("of a form accepts the raw bytes of such a field", () => {
    const part = { name: "raw[0]", fileName: undefined, contentType: undefined, data: Buffer.from([255]) };
    expect(bindForm(odd, [part], false)).toMatchObject({ raw: Buffer.from([255]) });
  });
});
