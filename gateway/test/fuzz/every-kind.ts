import { create, createFileRegistry, type DescMessage } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";

const { STRING, BOOL, BYTES, DOUBLE, FLOAT, INT32, INT64, UINT32, UINT64 } = FieldDescriptorProto_Type;
const { SINT32, SINT64, FIXED32, FIXED64, SFIXED32, SFIXED64, MESSAGE, ENUM } = FieldDescriptorProto_Type;

const keyTypes = [STRING, BOOL, INT32, INT64, UINT32, UINT64, SINT32, SINT64, FIXED32, FIXED64, SFIXED32, SFIXED64];
const scalars = [...keyTypes, BYTES, DOUBLE, FLOAT];

const wellKnownFiles = [
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
];

/** A field type: a scalar, or a message or enum by name. */
interface FieldType {
  readonly type: FieldDescriptorProto_Type;
  readonly typeName?: string;
}

/** Every field type: all scalars, an enum, NullValue, the message itself, every well-known type. */
function fieldTypes(): FieldType[] {
  const messages = wellKnownFiles.flatMap((file) => file.messages.map((message) => `.${message.typeName}`));
  return [
    ...scalars.map((type) => ({ type })),
    { type: ENUM, typeName: ".gateway.fuzz.Kind" },
    { type: ENUM, typeName: ".google.protobuf.NullValue" },
    ...[...messages, ".gateway.fuzz.EveryKind"].map((typeName) => ({ type: MESSAGE, typeName })),
  ];
}

/** The JSON name that Protobuf compilers derive: `in_oneof_7` → `inOneof7`. */
function jsonName(name: string): string {
  return name.replace(/_+(.?)/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * A proto3 message with a field of every type in every form: singular, `optional`, repeated (packed and not), in a
 * oneof, as the value of a map; and with a map of every kind of key.
 */
export function everyKind(): DescMessage {
  const fields: NonNullable<Parameters<typeof create<typeof DescriptorProtoSchema>>[1]>["field"] = [];
  const nested: DescriptorProto[] = [];
  const optionals: string[] = [];
  let number = 0;
  const { OPTIONAL, REPEATED } = FieldDescriptorProto_Label;
  const add = (name: string, type: FieldType, label: FieldDescriptorProto_Label, rest: object = {}): void => {
    number += 1;
    const names = { name: `${name}_${number}`, jsonName: jsonName(`${name}_${number}`) };
    fields.push(create(FieldDescriptorProtoSchema, { ...names, number, label, ...type, ...rest }));
  };
  const addMap = (key: FieldDescriptorProto_Type, value: FieldType): void => {
    const entry = `Map${number + 1}Entry`;
    const entryField = (name: string, at: number, type: FieldType) =>
      create(FieldDescriptorProtoSchema, { name, jsonName: name, number: at, label: OPTIONAL, ...type });
    add("map", { type: MESSAGE, typeName: `.gateway.fuzz.EveryKind.${entry}` }, REPEATED);
    nested.push(
      create(DescriptorProtoSchema, {
        name: entry,
        field: [entryField("key", 1, { type: key }), entryField("value", 2, value)],
        options: { mapEntry: true },
      }),
    );
  };

  for (const type of fieldTypes()) {
    add("singular", type, OPTIONAL);
    add("in_oneof", type, OPTIONAL, { oneofIndex: 0 });
    add("repeated_", type, REPEATED);
    addMap(STRING, type);
    if (type.type !== MESSAGE) {
      optionals.push(`_optional_${number + 1}`);
      add("optional", type, OPTIONAL, { proto3Optional: true, oneofIndex: optionals.length });
    }
    if (type.type !== MESSAGE && type.type !== STRING && type.type !== BYTES) {
      add("unpacked", type, REPEATED, { options: { packed: false } });
    }
  }
  for (const key of keyTypes) addMap(key, { type: INT32 });

  const file = create(FileDescriptorProtoSchema, {
    name: "gateway/test/fuzz/every_kind.proto",
    package: "gateway.fuzz",
    syntax: "proto3",
    dependency: wellKnownFiles.map((wellKnown) => wellKnown.proto.name),
    enumType: [
      {
        name: "Kind",
        value: [
          { name: "KIND_NONE", number: 0 },
          { name: "KIND_ONE", number: 1 },
          { name: "KIND_UNO", number: 1 },
          { name: "KIND_MINUS", number: -1 },
        ],
        options: { allowAlias: true },
      },
    ],
    messageType: [
      {
        name: "EveryKind",
        field: fields,
        nestedType: nested,
        oneofDecl: ["choice", ...optionals].map((name) => ({ name })),
      },
    ],
  });
  const registry = createFileRegistry(file, (name) =>
    wellKnownFiles.find((wellKnown) => wellKnown.proto.name === name),
  );
  const found = registry.getMessage("gateway.fuzz.EveryKind");
  if (found === undefined) throw new Error("EveryKind was not made");
  return found;
}
