import {
  type DescEnum,
  type DescExtension,
  type DescField,
  type DescMessage,
  fromJson,
  getOption,
  type JsonReadOptions,
  type JsonValue,
  type JsonWriteOptions,
  type Message,
  mergeFromJson,
  type Registry,
  ScalarType,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { FieldBehavior, field_behavior } from "../../gen/google/api/field_behavior_pb.js";
import { addUnknownNumbers, isUnknownNumber } from "./closed-enums.ts";
import { recursionLimit } from "./compile.ts";
import { type ExactJson, integerOf, isJsonNumber } from "./exact-json.ts";
import { isObject, mapJson } from "./map-json.ts";
import { isRealTime } from "./real-time.ts";
import { shortestFloat } from "./shortest-float.ts";

/**
 * The library's `fromJson`, corrected where it deviates from the ProtoJSON specification: 64-bit integers are exact,
 * nonexistent times are rejected, `null` leaves a member of a oneof unset, quoted numbers follow JSON's grammar, and
 * unknown numbers of closed enums become unknown fields.
 *
 * @throws Error with the reason.
 */
export function readProtoJson(desc: DescMessage, json: JsonValue, options: Partial<JsonReadOptions> = {}): Message {
  const { known, hasUnknownNumbers } = toLibraryJson(desc, json, options.registry);
  const message = fromJson(desc, known, options);
  if (!hasUnknownNumbers) return message;
  addUnknownNumbers(desc, message, json, (any, { "@type": url, ...rest }) => {
    const type = options.registry?.getMessage(String(url).slice(String(url).lastIndexOf("/") + 1));
    if (type !== undefined)
      Object.assign(any, { value: toBinary(type, readProtoJson(type, rest as JsonValue, options)) });
  });
  return message;
}

/** Reads into an existing message: repeated fields and maps grow. Unknown numbers of closed enums are dropped. */
export function mergeProtoJson(desc: DescMessage, target: Message, json: JsonValue): void {
  mergeFromJson(desc, target, toLibraryJson(desc, json, undefined).known);
}

/** The JSON of a message in the form that the library reads correctly, without unknown numbers of closed enums. */
function toLibraryJson(
  desc: DescMessage,
  json: ExactJson,
  registry: Registry | undefined,
): { readonly known: JsonValue; readonly hasUnknownNumbers: boolean } {
  let hasUnknownNumbers = false;
  const isKnown = (field: DescField | DescExtension, value: ExactJson): boolean => {
    if (field.kind === "extension" || !isUnknownNumber(field.enum, value)) return true;
    hasUnknownNumbers = true;
    return false;
  };
  const known = mapJson(desc, json, {
    registry,
    scalar: readScalar,
    other: plainJson,
    keepsItem: isKnown,
    keeps(field, value) {
      if (field.fieldKind === "map" && isObject(value)) checkKeys(field.mapKey, value);
      if (field.fieldKind === "enum" && !isKnown(field, value)) return false;
      return value !== null || field.oneof === undefined || hasNull(field);
    },
    checkTime(value) {
      if (typeof value === "string" && !isRealTime(value)) throw new Error(`${quoted(value)} does not exist`);
    },
  });
  return { known, hasUnknownNumbers };
}

/** Options of {@link writeProtoJson} in addition to those of `toJson`. */
export interface ProtoJsonWriteOptions extends Partial<JsonWriteOptions> {
  readonly registry?: Registry;
  /** Omits fields that are INPUT_ONLY by `google.api.field_behavior`. */
  readonly omitInputOnly?: boolean;
}

/** The library's `toJson`, with the shortest digits for each float, and optionally without request-only fields. */
export function writeProtoJson(desc: DescMessage, message: Message, options: ProtoJsonWriteOptions = {}): JsonValue {
  return mapJson(desc, toJson(desc, message, options), {
    registry: options.registry,
    scalar: (type, value) =>
      (type === ScalarType.FLOAT && typeof value === "number" ? shortestFloat(value) : value) as JsonValue,
    other: (value) => value as JsonValue,
    keeps: (field) => options.omitInputOnly !== true || !isInputOnly(field),
  });
}

/** True for a request-only field, such as a password. */
export function isInputOnly(field: DescField | DescExtension): boolean {
  return field.proto.options !== undefined && getOption(field, field_behavior).includes(FieldBehavior.INPUT_ONLY);
}

/** True for types in which `null` is a value. */
function hasNull({ message, enum: type }: { message?: DescMessage | undefined; enum?: DescEnum | undefined }): boolean {
  return message?.typeName === "google.protobuf.Value" || type?.typeName === "google.protobuf.NullValue";
}

/** JSON whose integers are converted back to doubles, as in a Struct. */
function plainJson(value: ExactJson, depth: number): JsonValue {
  if (depth > recursionLimit + 1) return null;
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map((inner: ExactJson) => plainJson(inner, depth + 1));
  if (!isObject(value)) return value as JsonValue;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plainJson(inner, depth + 1)]));
}

function readScalar(type: ScalarType, value: ExactJson): JsonValue {
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
    case ScalarType.BOOL:
      return plainJson(value, 1);
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      if (typeof value !== "string" || value === "NaN" || value === "Infinity" || value === "-Infinity") break;
      if (!isJsonNumber(value)) throw new Error(`${quoted(value)} is not a number`);
      return Number(value);
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      if (typeof value === "bigint") return String(value);
      return typeof value === "string" ? String(quotedInteger(value)) : plainJson(value, 1);
    default:
      if (typeof value === "string") return Number(quotedInteger(value));
  }
  return plainJson(value, 1);
}

function checkKeys(type: ScalarType, map: object): void {
  if (type === ScalarType.STRING || type === ScalarType.BOOL) return;
  for (const key of Object.keys(map)) {
    if (!/^-?\d{1,100}$/.test(key)) throw new Error(`map key ${quoted(key)} is not an integer`);
  }
}

function quotedInteger(text: string): bigint {
  // Leading zeros are invalid JSON, but readers have always accepted them in quotes.
  const integer = /^-?\d{1,100}$/.test(text) ? BigInt(text) : integerOf(text);
  if (integer === undefined) throw new Error(`${quoted(text)} is not an integer`);
  return integer;
}

/** Request text as quoted in an error. */
function quoted(text: string): string {
  return JSON.stringify(text.length <= 80 ? text : `${text.slice(0, 80).toWellFormed()}…`);
}
