import {
  type DescEnum,
  type DescField,
  type DescMessage,
  getOption,
  hasOption,
  type JsonObject,
  ScalarType,
} from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { getComments } from "@bufbuild/protoplugin";
import { oneof as oneofRulesOption } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { FieldBehavior, field_behavior } from "../../gen/google/api/field_behavior_pb.js";
import { hasJsonForm } from "../fields/field-path.ts";
import { narrow, nullable } from "./rules/narrow.ts";
import { messageRulesOf, rulesOf, whereSet } from "./rules/rules.ts";

/** `patch`: no field is required and `null` clears; `full`: the message as declared. */
export type SchemaMode = "full" | "patch";

/** Collects the schemas that a document refers to. */
export interface Schemas {
  /** A schema that refers to the message, which is collected. `omit` removes top-level fields (proto names). */
  reference(message: DescMessage, mode?: SchemaMode, omit?: readonly string[]): JsonObject;
  /** The schema of one field with its description, rules and behavior. */
  field(field: DescField, mode?: SchemaMode): JsonObject;
  /** Everything collected so far, by name, sorted. */
  components(): JsonObject;
}

/** Creates a collector; `nameOf` names each type within the components. */
export function createSchemas(nameOf: (type: DescMessage | DescEnum) => string): Schemas {
  const components = new Map<string, JsonObject>();
  /** The name of each requested schema. */
  const names = new Map<string, string>();

  const schemaName = (message: DescMessage, mode: SchemaMode, omit: readonly string[]): string => {
    const key = [message.typeName, mode, ...[...omit].sort()].join(" ");
    const known = names.get(key);
    if (known !== undefined) return known;
    const short = `${nameOf(message)}${mode === "patch" ? "Patch" : ""}${omit.length > 0 ? "Body" : ""}`;
    const without = omit.map((name) => name.charAt(0).toUpperCase() + name.slice(1)).join("");
    const candidates = [short, ...(omit.length > 0 ? [`${short}Without${without}`] : [])];
    for (let at = 2; ; at += 1) {
      const name = candidates.shift() ?? `${short}_${at}`;
      if (components.has(name)) continue;
      names.set(key, name);
      return name;
    }
  };

  const reference = (message: DescMessage, mode: SchemaMode = "full", omit: readonly string[] = []): JsonObject => {
    const wellKnown = wellKnownSchema(message);
    if (wellKnown !== undefined) return wellKnown;
    const name = schemaName(message, mode, omit);
    if (!components.has(name)) {
      // Registered before its fields, because messages may be recursive.
      components.set(name, {});
      components.set(name, messageSchema(message, mode, omit));
    }
    return { $ref: `#/components/schemas/${name}` };
  };

  const messageSchema = (message: DescMessage, mode: SchemaMode, omit: readonly string[]): JsonObject => {
    const properties: JsonObject = {};
    const required: string[] = [];
    for (const field of message.fields) {
      if (omit.includes(field.name)) continue;
      properties[field.jsonName] = fieldSchema(field, mode);
      if (mode === "full" && isRequired(field)) required.push(field.jsonName);
    }
    const schema: JsonObject = { type: "object" };
    const rules = messageRulesOf(message);
    addDescription(schema, [commentOf(message), rules.sentences.join(" ")].filter((text) => text !== "").join("\n\n"));
    if (isDeprecated(message)) schema["deprecated"] = true;
    if (Object.keys(properties).length > 0) schema["properties"] = properties;
    if (required.length > 0) schema["required"] = required;
    const exclusive = exclusions(message, omit);
    if (Object.keys(exclusive).length > 0) schema["dependentSchemas"] = exclusive;
    const oneofs = mode === "full" ? [...requiredOneofs(message), ...rules.schemas] : [];
    if (oneofs.length > 0) schema["allOf"] = oneofs;
    // A message without fields accepts none; others are closed by the reader, which rejects unknown fields.
    if (message.fields.length === 0) schema["maxProperties"] = 0;
    return schema;
  };

  const fieldSchema = (field: DescField, mode: SchemaMode = "full"): JsonObject => {
    const behaviors = behaviorsOf(field);
    const outputOnly = behaviors.includes(FieldBehavior.OUTPUT_ONLY);
    const rules = rulesOf(field);
    let schema: JsonObject;
    switch (field.fieldKind) {
      case "list":
        schema = { type: "array", items: narrow(valueSchema(field, mode), rules.items ?? {}) };
        break;
      case "map": {
        schema = { type: "object", additionalProperties: narrow(valueSchema(field, mode), rules.values ?? {}) };
        const keys = narrow(mapKeySchema(field.mapKey), rules.keys ?? {});
        if (Object.keys(keys).length > 0) schema["propertyNames"] = keys;
        break;
      }
      default:
        schema = valueSchema(field, mode);
    }
    if (!outputOnly) schema = narrow(schema, rules.schema);
    if (mode === "patch" || (field.fieldKind === "message" && isWrapperDesc(field.message))) schema = nullable(schema);
    const notes = [
      ...(outputOnly ? [] : rules.sentences),
      ...(behaviors.includes(FieldBehavior.IMMUTABLE) ? ["Cannot be changed later."] : []),
      ...(field.oneof
        ? [`At most one of ${field.oneof.fields.map((member) => `\`${member.jsonName}\``).join(", ")}.`]
        : []),
    ];
    const description = [commentOf(field), notes.join(" ")].filter((text) => text !== "").join("\n\n");
    if (description !== "") schema = annotate(schema, { description });
    if (outputOnly) schema = annotate(schema, { readOnly: true });
    if (behaviors.includes(FieldBehavior.INPUT_ONLY)) schema = annotate(schema, { writeOnly: true });
    if (isDeprecated(field)) schema = annotate(schema, { deprecated: true });
    return schema;
  };

  const valueSchema = (field: DescField, mode: SchemaMode): JsonObject => {
    if (field.message !== undefined) return reference(field.message, field.fieldKind === "message" ? mode : "full");
    if (field.enum !== undefined) return enumReference(field.enum);
    return scalarSchema(field.scalar ?? ScalarType.STRING);
  };

  const enumReference = (type: DescEnum): JsonObject => {
    if (type.typeName === "google.protobuf.NullValue") return { type: "null" };
    const name = nameOf(type);
    if (!components.has(name)) {
      const lines = type.values.map((value) => {
        const comment = commentOf(value).replaceAll("\n", " ");
        return `- \`${value.name}\`${comment === "" ? "" : `: ${comment}`}`;
      });
      const schema: JsonObject = { type: "string", enum: type.values.map((value) => value.jsonName) };
      addDescription(schema, [commentOf(type), lines.join("\n")].filter((text) => text !== "").join("\n\n"));
      components.set(name, schema);
    }
    return { $ref: `#/components/schemas/${name}` };
  };

  return {
    reference,
    field: fieldSchema,
    components: () => Object.fromEntries([...components].sort(([left], [right]) => (left < right ? -1 : 1))),
  };
}

/** The comment before (or else after) an element, without the space that follows `//`. */
export function commentOf(desc: Parameters<typeof getComments>[0]): string {
  const { leading, trailing } = getComments(desc);
  return (leading ?? trailing ?? "")
    .split("\n")
    .map((line) => line.replace(/^ /, "").trimEnd())
    .join("\n")
    .trim();
}

/** The field behaviors that an element is annotated with. */
export function behaviorsOf(field: DescField): readonly FieldBehavior[] {
  return hasOption(field, field_behavior) ? getOption(field, field_behavior) : [];
}

/** True if a request must have the field. */
export function isRequired(field: DescField): boolean {
  const behaviors = behaviorsOf(field);
  if (behaviors.includes(FieldBehavior.OUTPUT_ONLY)) return false;
  return behaviors.includes(FieldBehavior.REQUIRED) || rulesOf(field).required;
}

/** True if the element is deprecated. */
export function isDeprecated(desc: DescField | DescMessage): boolean {
  return desc.deprecated;
}

function scalarSchema(type: ScalarType): JsonObject {
  switch (type) {
    case ScalarType.STRING:
      return { type: "string" };
    case ScalarType.BOOL:
      return { type: "boolean" };
    case ScalarType.BYTES:
      return { type: "string", contentEncoding: "base64" };
    case ScalarType.DOUBLE:
      return floatSchema("double");
    case ScalarType.FLOAT:
      return floatSchema("float");
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return { type: "integer", format: "int64", minimum: 0, maximum: 4294967295 };
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return { type: "integer", format: "int32" };
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return { type: "string", format: "uint64", pattern: "^(?:0|[1-9]\\d{0,19})$" };
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return { type: "string", format: "int64", pattern: "^(?:0|-?[1-9]\\d{0,18})$" };
    default:
      return type satisfies never;
  }
}

function floatSchema(format: string): JsonObject {
  return {
    anyOf: [
      { type: "number", format },
      { type: "string", enum: ["NaN", "Infinity", "-Infinity"] },
    ],
  };
}

function mapKeySchema(type: ScalarType): JsonObject {
  if (type === ScalarType.STRING) return {};
  if (type === ScalarType.BOOL) return { enum: ["true", "false"] };
  return { pattern: "^-?\\d+$" };
}

function wellKnownSchema(message: DescMessage): JsonObject | undefined {
  if (message.typeName === "google.api.HttpBody") return { type: "string", format: "binary" };
  if (message.typeName === "google.protobuf.Empty") return { type: "object", maxProperties: 0 };
  if (!hasJsonForm(message)) return undefined;
  switch (message.typeName) {
    case "google.protobuf.Timestamp":
      return { type: "string", format: "date-time" };
    case "google.protobuf.Duration":
      return { type: "string", format: "duration-seconds", pattern: "^-?\\d+(\\.\\d{1,9})?s$" };
    case "google.protobuf.FieldMask":
      return { type: "string", format: "field-mask" };
    case "google.protobuf.Struct":
      return { type: "object", additionalProperties: true };
    case "google.protobuf.ListValue":
      return { type: "array", items: {} };
    case "google.protobuf.Value":
      return { description: "Any JSON value." };
    case "google.protobuf.Any":
      return {
        type: "object",
        properties: {
          "@type": { type: "string", description: "The URL of the type that the other fields belong to." },
        },
        required: ["@type"],
        additionalProperties: true,
      };
    default: {
      const scalar = message.fields[0]?.scalar;
      return scalar === undefined ? {} : scalarSchema(scalar);
    }
  }
}

/** A `$ref` may have siblings in 3.1, but many tools drop them, so only descriptive ones are placed beside it. */
function annotate(schema: JsonObject, annotations: JsonObject): JsonObject {
  return { ...schema, ...annotations };
}

function addDescription(schema: JsonObject, description: string): void {
  if (description !== "") schema["description"] = description;
}

/** Schemas that make the members of a oneof mutually exclusive. */
function exclusions(message: DescMessage, omit: readonly string[]): JsonObject {
  const schemas: JsonObject = {};
  for (const { fields } of message.oneofs) {
    const members = fields.filter((field) => !omit.includes(field.name));
    for (const field of members) {
      const [other, ...more] = members.filter((member) => member !== field).map(whereSet);
      if (other !== undefined) schemas[field.jsonName] = { not: more.length > 0 ? { anyOf: [other, ...more] } : other };
    }
  }
  return schemas;
}

function requiredOneofs(message: DescMessage): JsonObject[] {
  return message.oneofs
    .filter((oneof) => hasOption(oneof, oneofRulesOption) && getOption(oneof, oneofRulesOption).required)
    .map((oneof) => ({ anyOf: oneof.fields.map(whereSet) }));
}
