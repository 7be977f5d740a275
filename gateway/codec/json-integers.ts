import {
  type DescExtension,
  type DescField,
  type DescMessage,
  type JsonValue,
  type Registry,
  ScalarType,
} from "@bufbuild/protobuf";

/** Characters of the longest text that is read as an integer: 64 bits have twenty digits. */
const maxIntegerLength = 64;

/** Levels of messages in messages that are looked at: beyond the reader's own limit there is nothing to read. */
const maxDepth = 110;

/**
 * Refuses integers in a parsed JSON value that are longer than any integer type can hold, before they are read: `BigInt`
 * takes seconds for a few million digits. Looks at map keys and wrappers, inside Any and at extensions too.
 *
 * @throws RangeError that names the field.
 */
export function assertIntegerLengths(desc: DescMessage, json: JsonValue, registry?: Registry): void {
  checkMessage(desc, json, registry, 0);
}

/** Whether a JSON text may hold an integer that {@link assertIntegerLengths} refuses. */
export function mayHoldLongInteger(text: string): boolean {
  return text.length > maxIntegerLength && longDigits.test(text);
}

const longDigits = new RegExp(`[0-9]{${maxIntegerLength - 1}}`);

function checkMessage(desc: DescMessage, json: JsonValue, registry: Registry | undefined, depth: number): void {
  if (json === null || depth > maxDepth) return;
  if (typeof json !== "object") {
    const value = /^google\.protobuf\.U?Int(32|64)Value$/.test(desc.typeName) ? desc.fields[0] : undefined;
    if (value !== undefined) checkText(value, json);
    return;
  }
  if (Array.isArray(json)) return;
  if (desc.typeName === "google.protobuf.Any") {
    checkAny(json, registry, depth);
    return;
  }
  const fields = fieldsOf(desc);
  for (const key in json) {
    const field = fields.get(key) ?? (key.startsWith("[") ? registry?.getExtension(key.slice(1, -1)) : undefined);
    if (field !== undefined) checkField(field, json[key] ?? null, registry, depth);
  }
}

function checkAny(json: { [key: string]: JsonValue }, registry: Registry | undefined, depth: number): void {
  const { "@type": url, value } = json;
  const name = typeof url === "string" ? url.slice(url.lastIndexOf("/") + 1) : "";
  const desc = registry?.getMessage(name);
  if (desc === undefined) return;
  checkMessage(desc, json, registry, depth + 1);
  if (value !== undefined) checkMessage(desc, value, registry, depth + 1);
}

function checkField(
  field: DescField | DescExtension,
  json: JsonValue,
  registry: Registry | undefined,
  depth: number,
): void {
  if (json === null || typeof json === "number" || typeof json === "boolean") return;
  if (Array.isArray(json)) {
    if (field.fieldKind === "list") for (const item of json) checkValue(field, item, registry, depth);
    return;
  }
  if (field.fieldKind !== "map" || typeof json !== "object") {
    checkValue(field, json, registry, depth);
    return;
  }
  for (const key in json) {
    if (isInteger(field.mapKey)) checkText(field, key);
    checkValue(field, json[key] ?? null, registry, depth);
  }
}

function checkValue(
  field: DescField | DescExtension,
  json: JsonValue,
  registry: Registry | undefined,
  depth: number,
): void {
  if (field.message !== undefined) checkMessage(field.message, json, registry, depth + 1);
  else if (field.scalar !== undefined && isInteger(field.scalar)) checkText(field, json);
}

function checkText(field: DescField | DescExtension, json: JsonValue): void {
  if (typeof json === "string" && json.length > maxIntegerLength) {
    throw new RangeError(`${field.name}: a text of ${json.length} characters is no integer of 64 bits`);
  }
}

function isInteger(type: ScalarType): boolean {
  switch (type) {
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
    case ScalarType.BOOL:
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return false;
    default:
      return true;
  }
}

const byName = new WeakMap<DescMessage, Map<string, DescField>>();

function fieldsOf(desc: DescMessage): Map<string, DescField> {
  let fields = byName.get(desc);
  if (fields === undefined) {
    fields = new Map(desc.fields.flatMap((field) => [[field.jsonName, field] as const, [field.name, field] as const]));
    byName.set(desc, fields);
  }
  return fields;
}
