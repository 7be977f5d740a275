import {
  create,
  createFileRegistry,
  createRegistry,
  type DescMessage,
  type MessageInitShape,
  type Registry,
  setExtension,
} from "@bufbuild/protobuf";
import {
  DescriptorProtoSchema,
  EnumDescriptorProtoSchema,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
  MessageOptionsSchema,
  OneofDescriptorProtoSchema,
  OneofOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import {
  FieldRulesSchema,
  field as fieldRules,
  file_buf_validate_validate,
  MessageRulesSchema,
  message as messageRules,
  OneofRulesSchema,
  oneof as oneofRules,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

/** The kinds of rules that apply to a single value, named after their types. */
export const valueKinds = [
  ...["float", "double", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64"],
  ...["sfixed32", "sfixed64", "bool", "string", "bytes", "enum", "any", "duration", "fieldMask", "timestamp"],
] as const;

const wellKnown: Readonly<Record<string, string>> = {
  any: "Any",
  duration: "Duration",
  fieldMask: "FieldMask",
  timestamp: "Timestamp",
};

/** Describes a message with one field `value`. */
export interface RuledField {
  readonly kind: string;
  readonly rules?: MessageInitShape<typeof FieldRulesSchema>;
  readonly shape?: "single" | "optional" | "wrapper" | "list" | "map" | "oneof";
  /** The kind of the keys of a map. */
  readonly keys?: string;
  readonly messageRules?: MessageInitShape<typeof MessageRulesSchema>;
  readonly oneofRequired?: boolean;
}

/** The values of the enum in such a message: `COLOR_UNSPECIFIED` is 0, `RED` and `ROUGE` are 1, `BLUE` is 2. */
const colors: readonly [string, number][] = [
  ["COLOR_UNSPECIFIED", 0],
  ["RED", 1],
  ["ROUGE", 1],
  ["BLUE", 2],
];

/** A message type with a field `value` under the given rules, and an unrestricted string `other`. */
export function ruledMessage(spec: RuledField): DescMessage {
  const dependencies = [
    file_buf_validate_validate,
    file_google_protobuf_any,
    file_google_protobuf_duration,
    file_google_protobuf_field_mask,
    file_google_protobuf_timestamp,
    file_google_protobuf_wrappers,
  ];
  const shape = spec.shape ?? "single";
  const value = create(FieldDescriptorProtoSchema, {
    name: "value",
    number: 1,
    jsonName: "value",
    ...typeOf(spec.kind, shape === "wrapper"),
    label: FieldDescriptorProto_Label[shape === "list" || shape === "map" ? "REPEATED" : "OPTIONAL"],
    ...(shape === "optional" || shape === "oneof" ? { oneofIndex: 0, proto3Optional: shape === "optional" } : {}),
    ...(shape === "map" ? { type: FieldDescriptorProto_Type.MESSAGE, typeName: ".ruled.M.ValueEntry" } : {}),
  });
  if (spec.rules !== undefined) {
    value.options = create(FieldOptionsSchema);
    setExtension(value.options, fieldRules, create(FieldRulesSchema, spec.rules));
  }
  const message = create(DescriptorProtoSchema, {
    name: "M",
    field: [
      value,
      create(FieldDescriptorProtoSchema, { name: "other", number: 2, jsonName: "other", ...typeOf("string", false) }),
    ],
    oneofDecl:
      shape === "optional" || shape === "oneof" ? [create(OneofDescriptorProtoSchema, { name: "_value" })] : [],
    nestedType: shape === "map" ? [entryOf(spec)] : [],
    enumType: [
      create(EnumDescriptorProtoSchema, {
        name: "Color",
        value: colors.map(([name, number]) => ({ name, number })),
        options: { allowAlias: true },
      }),
    ],
  });
  if (spec.messageRules !== undefined) {
    message.options = create(MessageOptionsSchema);
    setExtension(message.options, messageRules, create(MessageRulesSchema, spec.messageRules));
  }
  const [choice] = message.oneofDecl;
  if (spec.oneofRequired === true && choice !== undefined) {
    choice.options = create(OneofOptionsSchema);
    setExtension(choice.options, oneofRules, create(OneofRulesSchema, { required: true }));
  }
  const file = create(FileDescriptorProtoSchema, {
    name: "ruled.proto",
    package: "ruled",
    syntax: "proto3",
    dependency: dependencies.map(({ proto }) => proto.name),
    messageType: [message],
  });
  const registry = createFileRegistry(file, (name) => dependencies.find(({ proto }) => proto.name === name));
  const desc = registry.getMessage("ruled.M");
  if (desc === undefined) throw new Error("no message");
  return desc;
}

/** Types for the `Any` fields of such messages. */
export const ruledRegistry: Registry = createRegistry(
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_wrappers,
);

function typeOf(kind: string, wrapper: boolean): { type: FieldDescriptorProto_Type; typeName?: string } {
  if (wrapper) {
    const name = `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)}Value`.replace("Uint", "UInt");
    return { type: FieldDescriptorProto_Type.MESSAGE, typeName: `.google.protobuf.${name}` };
  }
  if (kind === "enum") return { type: FieldDescriptorProto_Type.ENUM, typeName: ".ruled.M.Color" };
  const name = wellKnown[kind];
  if (name !== undefined) return { type: FieldDescriptorProto_Type.MESSAGE, typeName: `.google.protobuf.${name}` };
  return { type: FieldDescriptorProto_Type[kind.toUpperCase() as keyof typeof FieldDescriptorProto_Type] };
}

function entryOf(spec: RuledField) {
  return create(DescriptorProtoSchema, {
    name: "ValueEntry",
    options: { mapEntry: true },
    field: [
      { name: "key", number: 1, ...typeOf(spec.keys ?? "string", false), label: FieldDescriptorProto_Label.OPTIONAL },
      { name: "value", number: 2, ...typeOf(spec.kind, false), label: FieldDescriptorProto_Label.OPTIONAL },
    ],
  });
}
