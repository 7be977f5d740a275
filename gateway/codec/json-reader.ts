import {
  type DescField,
  type DescMessage,
  type JsonValue,
  type Message,
  protoInt64,
  type Registry,
  ScalarType,
} from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";

import {
  bail,
  compileFunction,
  createCompiler,
  isCompilable,
  isLocalStruct,
  isLongText,
  type Lazy,
  literal,
  recursionLimit,
  unwrapped,
  zeroOf,
} from "./compile.ts";
import { readProtoJson } from "./proto-json.ts";
import { daysIn } from "./real-time.ts";

/**
 * Reads one message type from JSON parsed by `parseExactJson`. Accepts the same input as `readProtoJson`, with the same
 * result.
 */
export type JsonRead = (json: JsonValue) => Message;

type Read = (json: unknown, depth: number) => unknown;

/** Creates readers; `options` are those of `fromJson`. */
export function createJsonReader(options: {
  registry?: Registry;
  ignoreUnknownFields?: boolean;
}): (desc: DescMessage) => JsonRead {
  const library = (desc: DescMessage): Read => {
    return (json, depth) =>
      readProtoJson(desc, json as JsonValue, { ...options, recursionLimit: recursionLimit + 1 - depth });
  };
  const compiler = createCompiler<Read>((desc, of) => {
    const known = wellKnown(desc);
    if (known !== undefined) return known;
    const custom = desc.typeName.startsWith("google.protobuf.") && desc.typeName !== "google.protobuf.Empty";
    return custom || !isCompilable(desc) ? library(desc) : compile(desc, of);
  });
  return (desc) => {
    const reader = compiler(desc);
    return (json) => {
      try {
        return reader.call(json, 1) as Message;
      } catch {
        return readProtoJson(desc, json, options);
      }
    };
  };
}

/** Generates and compiles the reader of a message. */
function compile(desc: DescMessage, of: (desc: DescMessage) => Lazy<Read>): Read {
  const scope: Record<string, unknown> = { ...helpers };
  const lines: string[] = [
    `if (depth > ${recursionLimit} || typeof json !== "object" || json === null || Array.isArray(json)) throw bail;`,
    "let v, n = 0;",
  ];
  const later: string[] = [];
  const init: string[] = [`$typeName: ${literal(desc.typeName)}`];
  for (const [index, member] of desc.members.entries()) {
    const target = `m${index}`;
    const zero = zeroOf(member, zeroScalar);
    lines.push(`let ${target} = ${zero ?? "undefined"};`);
    if (zero === undefined) later.push(`if (${target} !== undefined) m[${literal(member.localName)}] = ${target};`);
    else init.push(`${literal(member.localName)}: ${target}`);
    const fields = member.kind === "oneof" ? member.fields : [member];
    for (const field of fields) lines.push(...readField(field, target, scope, of));
  }
  lines.push("if (n !== keyCount(json)) throw bail;");
  lines.push(`const m = { ${init.join(", ")} };`, ...later, "return m;");
  return compileFunction<Read>("json, depth", lines.join("\n"), scope);
}

function readField(
  field: DescField,
  target: string,
  scope: Record<string, unknown>,
  of: (desc: DescMessage) => Lazy<Read>,
): string[] {
  const key = `json[${literal(field.jsonName)}]`;
  const lines: string[] = [];
  // Both names are accepted, but not both at once: then the key count differs and the library reports it.
  const load =
    field.name === field.jsonName
      ? `v = ${key};`
      : `v = ${key}; if (v === undefined) v = json[${literal(field.name)}];`;
  lines.push(load, "if (v !== undefined) {", "n++;");
  const store = field.oneof
    ? (value: string) =>
        `if (${target}.case !== undefined) throw bail;\n${target} = { case: ${literal(field.localName)}, value: ${value} };`
    : (value: string) => `${target} = ${value};`;
  switch (field.fieldKind) {
    case "list": {
      const { check, value } = readValue(field, "x", scope, of);
      lines.push(
        "if (!Array.isArray(v)) throw bail;",
        "for (let i = 0; i < v.length; i++) {",
        `const x = v[i];\n${check}`,
        `${target}.push(${value});`,
        "}",
      );
      break;
    }
    case "map": {
      const { check, value } = readValue(field, "x", scope, of);
      lines.push(
        `if (typeof v !== "object" || v === null || Array.isArray(v)) throw bail;`,
        "for (const k in v) {",
        `if (k === "__proto__") throw bail;`,
        checkMapKey(field.mapKey),
        `const x = v[k];\n${check}`,
        `${target}[k] = ${value};`,
        "}",
      );
      break;
    }
    default: {
      const { check, value } = readValue(field, "v", scope, of);
      lines.push(check, store(value));
    }
  }
  lines.push("}");
  return lines;
}

function checkMapKey(type: ScalarType): string {
  switch (type) {
    case ScalarType.STRING:
      return "if (!k.isWellFormed()) throw bail;";
    case ScalarType.BOOL:
      return `if (k !== "true" && k !== "false") throw bail;`;
    default:
      // Short and canonical, so that it fits every integer type and is its own property name.
      return "if (!/^(0|[1-9]\\d{0,8})$/.test(k)) throw bail;";
  }
}

/** Source that checks the JSON in `from`, and the expression of the decoded value. */
function readValue(
  field: DescField,
  from: string,
  scope: Record<string, unknown>,
  of: (desc: DescMessage) => Lazy<Read>,
): { check: string; value: string } {
  if (field.message !== undefined) {
    if (isLocalStruct(field)) return { check: "throw bail;", value: "undefined" };
    const inner = unwrapped(field);
    if (inner !== undefined) {
      const { check, value } = readScalar(inner, from);
      return { check: `if (depth >= ${recursionLimit}) throw bail;\n${check}`, value };
    }
    const name = `read${field.number}`;
    scope[name] = of(field.message);
    const isValue = field.message.typeName === "google.protobuf.Value";
    return {
      check: isValue ? "" : `if (${from} === null) throw bail;`,
      value: `${name}.call(${from}, depth + 1)`,
    };
  }
  if (field.enum !== undefined) {
    if (field.enum.typeName === "google.protobuf.NullValue") {
      return { check: `if (${from} !== null) throw bail;`, value: "0" };
    }
    const name = `enum${field.number}`;
    const numbers = new Map<string, number>();
    for (const value of field.enum.values) numbers.set(value.jsonName, value.number);
    for (const value of field.enum.values) numbers.set(value.name, value.number);
    scope[name] = (json: unknown): number => {
      const number = numbers.get(json as string);
      if (number !== undefined) return number;
      if (typeof json === "number" && (json | 0) === json && !Object.is(json, -0)) return json;
      throw bail;
    };
    return { check: "", value: `${name}(${from})` };
  }
  return readScalar(field, from);
}

function readScalar(field: DescField, from: string): { check: string; value: string } {
  const type = field.scalar ?? ScalarType.STRING;
  const asText = isLongText(field);
  switch (type) {
    case ScalarType.STRING:
      return { check: `if (typeof ${from} !== "string" || !${from}.isWellFormed()) throw bail;`, value: from };
    case ScalarType.BOOL:
      return { check: `if (typeof ${from} !== "boolean") throw bail;`, value: from };
    case ScalarType.BYTES:
      return { check: `if (typeof ${from} !== "string") throw bail;`, value: `bytes(${from})` };
    case ScalarType.DOUBLE:
      return { check: `if (typeof ${from} !== "number" || !Number.isFinite(${from})) throw bail;`, value: from };
    case ScalarType.FLOAT:
      return {
        check: `if (typeof ${from} !== "number" || !Number.isFinite(Math.fround(${from}))) throw bail;`,
        value: from,
      };
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return { check: `if (typeof ${from} !== "number" || (${from} >>> 0) !== ${from}) throw bail;`, value: from };
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return { check: `if (typeof ${from} !== "number" || (${from} | 0) !== ${from}) throw bail;`, value: from };
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return { check: "", value: asText ? `longText(${from}, false)` : `long(${from}, false)` };
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return { check: "", value: asText ? `longText(${from}, true)` : `long(${from}, true)` };
    default:
      return type satisfies never;
  }
}

function zeroScalar(field: DescField): string {
  if (field.enum !== undefined) return String(field.enum.values[0]?.number ?? 0);
  switch (field.scalar) {
    case ScalarType.STRING:
      return `""`;
    case ScalarType.BOOL:
      return "false";
    case ScalarType.BYTES:
      return "new Uint8Array(0)";
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return isLongText(field) ? `"0"` : "0n";
    default:
      return "0";
  }
}

const small = Array.from({ length: 1024 }, (_, index) => BigInt(index));

/** A 64-bit integer from canonical text of up to 18 digits, or from an integer. */
function long(json: unknown, signed: boolean): bigint {
  if (typeof json === "string") {
    const { length } = json;
    if (length === 0 || length > 19) throw bail;
    let at = 0;
    if (json.charCodeAt(0) === 45) {
      if (!signed) throw bail;
      at = 1;
    }
    const digits = length - at;
    if (digits === 0 || digits > 18) throw bail;
    let value = 0;
    for (let index = at; index < length; index += 1) {
      const digit = json.charCodeAt(index) - 48;
      if (digit < 0 || digit > 9) throw bail;
      value = value * 10 + digit;
    }
    if (digits > 15) return BigInt(json);
    if (at === 0) return small[value] ?? BigInt(value);
    return BigInt(-value);
  }
  if (typeof json === "bigint") {
    if (json !== (signed ? BigInt.asIntN(64, json) : BigInt.asUintN(64, json))) throw bail;
    return json;
  }
  if (typeof json !== "number" || !Number.isSafeInteger(json) || (!signed && json < 0)) throw bail;
  return BigInt(json);
}

function longText(json: unknown, signed: boolean): string {
  if (typeof json !== "string" || !(signed ? /^-?\d{1,18}$/ : /^\d{1,18}$/).test(json)) throw bail;
  return json;
}

function keyCount(json: object): number {
  let count = 0;
  for (const _ in json) count += 1;
  return count;
}

const helpers = { bail, long, longText, keyCount, bytes: base64Decode };

function wellKnown(desc: DescMessage): Read | undefined {
  switch (desc.typeName) {
    case "google.protobuf.Timestamp":
      return readTimestamp;
    case "google.protobuf.Duration":
      return readDuration;
    default:
      return undefined;
  }
}

const day = 86_400;

/** Reads `2026-01-31T12:00:00Z` with up to nine fractional digits; bails on any other form. */
function readTimestamp(json: unknown, depth: number): unknown {
  if (depth > recursionLimit || typeof json !== "string") throw bail;
  const { length } = json;
  if (length < 20 || length > 30 || length === 21 || json.charCodeAt(length - 1) !== 90) throw bail;
  if (json.charCodeAt(4) !== 45 || json.charCodeAt(7) !== 45 || json.charCodeAt(10) !== 84) throw bail;
  if (json.charCodeAt(13) !== 58 || json.charCodeAt(16) !== 58) throw bail;
  const year = digits(json, 0, 4);
  const month = digits(json, 5, 7);
  const date = digits(json, 8, 10);
  const hour = digits(json, 11, 13);
  const minute = digits(json, 14, 16);
  const second = digits(json, 17, 19);
  if (year < 1970 || month < 1 || month > 12 || date < 1 || hour > 23 || minute > 59 || second > 59) throw bail;
  if (date > 28 && date > daysIn(year, month)) throw bail;
  let nanos = 0;
  if (length > 20) {
    if (json.charCodeAt(19) !== 46) throw bail;
    nanos = digits(json, 20, length - 1) * 10 ** (30 - length);
  }
  const days = Date.UTC(year, month - 1, date) / 1000 / day;
  const seconds = days * day + hour * 3600 + minute * 60 + second;
  return { $typeName: "google.protobuf.Timestamp", seconds: BigInt(seconds), nanos };
}

function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) throw bail;
    value = value * 10 + digit;
  }
  return value;
}

function readDuration(json: unknown, depth: number): unknown {
  if (depth > recursionLimit || typeof json !== "string") throw bail;
  const match = /^(\d{1,9})(?:\.(\d{1,9}))?s$/.exec(json);
  if (match === null) throw bail;
  const fraction = match[2];
  return {
    $typeName: "google.protobuf.Duration",
    seconds: protoInt64.parse(Number(match[1])),
    nanos: fraction === undefined ? 0 : Number(fraction) * 10 ** (9 - fraction.length),
  };
}
