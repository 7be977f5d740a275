import { create, type Message, type MessageInitShape, setExtension, toBinary } from "@bufbuild/protobuf";
import { fileDesc, type GenMessage, type GenService, messageDesc, serviceDesc } from "@bufbuild/protobuf/codegenv2";
import {
  FieldOptionsSchema,
  type FieldDescriptorProto_Type as FieldType,
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  MethodOptionsSchema,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import {
  FieldRulesSchema,
  field as fieldRules,
  file_buf_validate_validate,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { AccessSchema, access, file_docket_options_v1_options } from "../../../../gen/docket/options/v1/options_pb.js";

/** Request and response of every method of `ProbeService`. */
export type Probe = Message<"docket.testing.v1.Probe"> & {
  /** At most 20 characters. */
  text: string;
  /** Not negative. */
  count: number;
  /** An enum: 0 or 1. */
  kind: number;
  payload: Uint8Array;
};

interface ProbeMethod<Kind extends "unary" | "server_streaming" | "client_streaming" | "bidi_streaming"> {
  methodKind: Kind;
  input: GenMessage<Probe>;
  output: GenMessage<Probe>;
}

const packageName = "docket.testing.v1";

function field(name: string, number: number, type: FieldType, rules: MessageInitShape<typeof FieldRulesSchema> = {}) {
  const options = create(FieldOptionsSchema);
  setExtension(options, fieldRules, create(FieldRulesSchema, rules));
  const typeName = type === Type.ENUM ? `.${packageName}.Kind` : "";
  return { name, number, type, typeName, label: Label.OPTIONAL, options };
}

function method(name: string, streams: { in?: boolean; out?: boolean }, who?: MessageInitShape<typeof AccessSchema>) {
  const options = create(MethodOptionsSchema);
  if (who !== undefined) {
    setExtension(options, access, create(AccessSchema, who));
  }
  const type = `.${packageName}.Probe`;
  const { in: clientStreaming = false, out: serverStreaming = false } = streams;
  return { name, inputType: type, outputType: type, clientStreaming, serverStreaming, options };
}

const readers = { scopes: ["probes.read", "probes.write"] };

const file = fileDesc(
  Buffer.from(
    toBinary(
      FileDescriptorProtoSchema,
      create(FileDescriptorProtoSchema, {
        name: "docket/testing/v1/probe.proto",
        package: packageName,
        syntax: "proto3",
        dependency: ["buf/validate/validate.proto", "docket/options/v1/options.proto"],
        enumType: [
          {
            name: "Kind",
            value: [
              { name: "KIND_UNSPECIFIED", number: 0 },
              { name: "KIND_SOLID", number: 1 },
            ],
          },
        ],
        messageType: [
          {
            name: "Probe",
            field: [
              field("text", 1, Type.STRING, { type: { case: "string", value: { maxLen: 20n } } }),
              field("count", 2, Type.INT32, {
                type: { case: "int32", value: { greaterThan: { case: "gte", value: 0 } } },
              }),
              field("kind", 3, Type.ENUM, { type: { case: "enum", value: { definedOnly: true } } }),
              field("payload", 4, Type.BYTES),
            ],
          },
        ],
        service: [
          {
            name: "ProbeService",
            method: [
              method("Ask", {}, readers),
              method("Follow", { out: true }, readers),
              method("Collect", { in: true }, readers),
              method("Converse", { in: true, out: true }, readers),
              method("AskOpenly", {}, { open: true }),
              method("AskInternally", {}, { internal: true }),
              method("AskUndeclared", {}),
            ],
          },
        ],
      }),
    ),
  ).toString("base64"),
  [file_buf_validate_validate, file_docket_options_v1_options],
);

export const ProbeSchema = messageDesc<Probe>(file, 0);

/** All four kinds of method, and each kind of access. Built in memory, outside the contract. */
export const ProbeService: GenService<{
  ask: ProbeMethod<"unary">;
  follow: ProbeMethod<"server_streaming">;
  collect: ProbeMethod<"client_streaming">;
  converse: ProbeMethod<"bidi_streaming">;
  askOpenly: ProbeMethod<"unary">;
  askInternally: ProbeMethod<"unary">;
  askUndeclared: ProbeMethod<"unary">;
}> = serviceDesc(file, 0);
