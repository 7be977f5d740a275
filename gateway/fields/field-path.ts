import { create, type DescField, type DescMessage, type JsonValue, type Message, ScalarType } from "@bufbuild/protobuf";
import { mergeProtoJson } from "../codec/proto-json.ts";

/** A message whose fields are accessed by name. */
export type Fields = Record<string, unknown>;

/** A chain of fields from a message to one of its (nested) fields. */
export interface FieldPath {
  readonly root: DescMessage;
  readonly fields: readonly DescField[];
  readonly leaf: DescField;
  /** Proto names separated by dots, as field masks use them. */
  readonly name: string;
}

/** The path in JSON names separated by dots, as errors use it. */
export function jsonNameOf(path: FieldPath): string {
  return path.fields.map((field) => field.jsonName).join(".");
}

/** Maximum number of names in a path: the nesting depth that the JSON reader accepts. */
export const maxPathLength = 100;

/** A path that names no field. `at` is the number of names that resolved. */
export interface UnknownField {
  readonly at: number;
  readonly description: string;
}

/**
 * Resolves the names of a path, each in proto or JSON form. Every name but the last must be a singular message that
 * JSON writes as an object.
 */
export function resolveFieldPath(root: DescMessage, names: readonly string[]): FieldPath | UnknownField {
  if (names.length > maxPathLength) return { at: 0, description: `a path has at most ${maxPathLength} names` };
  const fields: DescField[] = [];
  let message = root;
  for (const [at, name] of names.entries()) {
    const field = message.fields.find((candidate) => candidate.name === name || candidate.jsonName === name);
    if (field === undefined) return { at, description: `${message.typeName} has no field "${name}"` };
    fields.push(field);
    if (at === names.length - 1) {
      return { root, fields, leaf: field, name: fields.map((part) => part.name).join(".") };
    }
    if (field.fieldKind !== "message" || hasJsonForm(field.message)) {
      return { at: at + 1, description: `"${name}" has no fields of its own` };
    }
    message = field.message;
  }
  return { at: 0, description: "the path is empty" };
}

/** True where {@link resolveFieldPath} found the field. */
export function isFieldPath(found: FieldPath | UnknownField): found is FieldPath {
  return "leaf" in found;
}

const jsonForms = new Set([
  "google.protobuf.Any",
  "google.protobuf.Timestamp",
  "google.protobuf.Duration",
  "google.protobuf.FieldMask",
  "google.protobuf.Struct",
  "google.protobuf.Value",
  "google.protobuf.ListValue",
  "google.protobuf.DoubleValue",
  "google.protobuf.FloatValue",
  "google.protobuf.Int64Value",
  "google.protobuf.UInt64Value",
  "google.protobuf.Int32Value",
  "google.protobuf.UInt32Value",
  "google.protobuf.BoolValue",
  "google.protobuf.StringValue",
  "google.protobuf.BytesValue",
]);

/** True for the well-known types that JSON does not write field by field. */
export function hasJsonForm(message: DescMessage): boolean {
  return jsonForms.has(message.typeName);
}

/** A oneof along the path that already holds another member, and that member. */
export interface OneofConflict {
  readonly oneof: string;
  readonly held: string;
}

/**
 * The message that holds the leaf of the path, created if missing.
 *
 * @returns a conflict, without further changes, if a oneof along the path holds another member.
 */
export function containerOf(target: Message, path: FieldPath): { container: Message } | OneofConflict {
  let message = target;
  for (const field of path.fields.slice(0, -1)) {
    if (field.fieldKind !== "message") throw new Error(`${field} is not a message`);
    const fields = message as unknown as Fields;
    if (field.oneof !== undefined) {
      const held = fields[field.oneof.localName] as { case: string | undefined; value?: Message };
      if (held.case === field.localName && held.value !== undefined) {
        message = held.value;
        continue;
      }
      if (held.case !== undefined) return { oneof: field.oneof.name, held: held.case };
      const value = create(field.message);
      fields[field.oneof.localName] = { case: field.localName, value };
      message = value;
      continue;
    }
    fields[field.localName] ??= create(field.message);
    message = fields[field.localName] as Message;
  }
  const leafOneof = path.leaf.oneof;
  if (leafOneof !== undefined) {
    const held = (message as unknown as Fields)[leafOneof.localName] as { case: string | undefined };
    if (held.case !== undefined && held.case !== path.leaf.localName) {
      return { oneof: leafOneof.name, held: held.case };
    }
  }
  return { container: message };
}

/** The value at the path; undefined if the path or the field is unset. */
export function valueAt(target: Message, path: FieldPath): unknown {
  let value: unknown = target;
  for (const field of path.fields) {
    if (value === undefined || value === null) return undefined;
    const fields = value as Fields;
    if (field.oneof === undefined) {
      value = Object.hasOwn(fields, field.localName) ? fields[field.localName] : undefined;
      continue;
    }
    const held = fields[field.oneof.localName] as { case: string | undefined; value?: unknown };
    value = held.case === field.localName ? held.value : undefined;
  }
  return value;
}

/** Sets the leaf in its container from JSON: repeated fields and maps grow. @throws as `mergeProtoJson` does. */
export function setFromJson(container: Message, leaf: DescField, json: JsonValue): void {
  if (leaf.scalar === ScalarType.STRING && leaf.fieldKind === "scalar" && leaf.oneof === undefined) {
    // The common case of paths and queries; the library would compile and scan the whole message.
    if (typeof json === "string" && json.isWellFormed()) {
      (container as unknown as Fields)[leaf.localName] = json;
      return;
    }
  }
  mergeProtoJson(leaf.parent, container, { [leaf.jsonName]: json });
}
