import { type DescField, type DescMessage, type JsonObject, ScalarType } from "@bufbuild/protobuf";

/**
 * Derives the JSON Schema of a message's JSON, as one would write it without Protobuf. Messages must not be recursive.
 */
export function jsonSchemaOf(message: DescMessage): JsonObject {
  if (message.typeName === "google.protobuf.Timestamp") return { type: "string" };
  const properties = Object.fromEntries(message.fields.map((field) => [field.jsonName, fieldSchema(field)]));
  return { type: "object", additionalProperties: false, properties };
}

function fieldSchema(field: DescField): JsonObject {
  switch (field.fieldKind) {
    case "list":
      return { type: "array", items: valueSchema(field) };
    case "map":
      return { type: "object", additionalProperties: valueSchema(field) };
    default:
      return valueSchema(field);
  }
}

function valueSchema({ message, enum: values, scalar }: DescField): JsonObject {
  if (message !== undefined) return jsonSchemaOf(message);
  if (values !== undefined) return { type: "string", enum: values.values.map(({ name }) => name) };
  switch (scalar) {
    case ScalarType.BOOL:
      return { type: "boolean" };
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return { type: "number" };
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return { type: "integer" };
    default:
      return { type: "string" };
  }
}
