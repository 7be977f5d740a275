import {
  clone,
  create,
  type DescMessage,
  equals,
  fromBinary,
  isFieldSet,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  AnySchema,
  FieldDescriptorProtoSchema,
  FieldDescriptorProto_Type as FieldType,
  FileDescriptorProtoSchema,
  StructSchema,
  ValueSchema,
} from "@bufbuild/protobuf/wkt";
import { FieldRulesSchema } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { expect, test } from "@jest/globals";
import { BadRequestSchema, ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { copyMessage } from "./copy-message.ts";
import { ProbeSchema } from "./testing/probe-service.ts";

/** Every object in `a` that is also in `b`. */
function shared(a: unknown, b: unknown, found: unknown[] = []): unknown[] {
  if (typeof a === "object" && a !== null && typeof b === "object" && b !== null) {
    if (a === b) {
      found.push(a);
    }
    for (const key of Object.keys(a)) {
      shared(Reflect.get(a, key), Reflect.get(b, key), found);
    }
  }
  return found;
}

test("a copy is equal in every part and shares none", () => {
  const file = ProbeSchema.file.proto;
  const struct = create(StructSchema, {
    fields: { a: create(ValueSchema, { kind: { case: "numberValue", value: 1 } }), __proto__x: create(ValueSchema) },
  });
  const any = create(AnySchema, { typeUrl: "t/x", value: new Uint8Array([1, 2]) });
  const info = create(ErrorInfoSchema, { metadata: JSON.parse('{"__proto__":"x","b":"y"}') as Record<string, string> });
  const bad = create(BadRequestSchema, { fieldViolations: [{ field: "a" }, { field: "b" }] });
  const rules = create(FieldRulesSchema, { type: { case: "string", value: { maxLen: 20n, in: ["a"] } } });
  expectCopy(FileDescriptorProtoSchema, file);
  expectCopy(StructSchema, struct);
  expectCopy(AnySchema, any);
  expectCopy(ErrorInfoSchema, info);
  expectCopy(BadRequestSchema, bad);
  expectCopy(FieldRulesSchema, rules);
});

function expectCopy<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): void {
  const copy = copyMessage(message);
  expect(equals(schema, copy, message)).toBe(true);
  expect(copy).toEqual(clone(schema, message));
  expect(shared(copy, message)).toEqual([]);
}

test("a copy keeps field presence and unknown fields", () => {
  const message = create(FieldDescriptorProtoSchema, { name: "x", type: FieldType.BYTES });
  const copy = copyMessage(message);
  expect(isFieldSet(copy, FieldDescriptorProtoSchema.field.name)).toBe(true);
  expect(isFieldSet(copy, FieldDescriptorProtoSchema.field.number)).toBe(false);
  expect(copy.number).toBe(0);

  const unknown = fromBinary(ErrorInfoSchema, new Uint8Array([0xfa, 0x07, 0x01, 0x41]));
  const bytes = toBinary(ErrorInfoSchema, copyMessage(unknown));
  expect(bytes).toEqual(new Uint8Array([0xfa, 0x07, 0x01, 0x41]));
});
