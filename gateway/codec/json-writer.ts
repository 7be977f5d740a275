import { type DescField, type DescMessage, type Message, type Registry, ScalarType } from "@bufbuild/protobuf";
import {
  bail,
  compileFunction,
  createCompiler,
  isAbsentWhenUnset,
  isCompilable,
  isLocalStruct,
  type Lazy,
  literal,
  unwrapped,
} from "./compile.ts";
import { isInputOnly, writeProtoJson } from "./proto-json.ts";
import { shortestFloat } from "./shortest-float.ts";

/** Writes one message type as JSON text. Accepts the same messages as `writeProtoJson`, with the same result. */
export type JsonWrite = (message: Message) => string;

/** The options of `writeProtoJson` that the writer supports. */
export interface JsonWriteSettings {
  readonly registry?: Registry;
  readonly alwaysEmitImplicit: boolean;
  readonly useProtoFieldName: boolean;
  readonly enumAsInteger: boolean;
  readonly omitInputOnly?: boolean;
}

type Write = (message: unknown) => string;

/** Creates writers. */
export function createJsonWriter(settings: JsonWriteSettings): (desc: DescMessage) => JsonWrite {
  const library =
    (desc: DescMessage): Write =>
    (message) =>
      JSON.stringify(writeProtoJson(desc, message as Message, settings));
  const compiler = createCompiler<Write>((desc, of) => {
    if (desc.typeName === "google.protobuf.Timestamp") return writeTimestamp;
    const custom = desc.typeName.startsWith("google.protobuf.") && desc.typeName !== "google.protobuf.Empty";
    return custom || !isCompilable(desc) ? library(desc) : compile(desc, settings, of);
  });
  return (desc) => {
    const writer = compiler(desc);
    return (message) => {
      try {
        return writer.call(message);
      } catch {
        return JSON.stringify(writeProtoJson(desc, message, settings));
      }
    };
  };
}

function compile(desc: DescMessage, settings: JsonWriteSettings, of: (desc: DescMessage) => Lazy<Write>): Write {
  const scope: Record<string, unknown> = { bail, text, number, float, long, longText, bytes };
  const lines = [
    `if (m.$typeName !== ${literal(desc.typeName)}) throw bail;`,
    // Extensions are among the unknown fields.
    settings.registry === undefined ? "" : "if (m.$unknown !== undefined) throw bail;",
    `let s = "", v;`,
  ];
  let certain = false;
  const written = desc.fields.filter((field) => settings.omitInputOnly !== true || !isInputOnly(field));
  const fields = written.sort((left, right) => left.number - right.number);
  for (const field of fields) {
    const name = JSON.stringify(settings.useProtoFieldName ? field.name : field.jsonName);
    const first = literal(`{${name}:`);
    const next = literal(`,${name}:`);
    const open = certain ? next : `(s === "" ? ${first} : ${next})`;
    const { condition, value, always } = writeField(field, settings, scope, of);
    lines.push(condition.load);
    lines.push(condition.test === "" ? `s += ${open} + ${value};` : `if (${condition.test}) s += ${open} + ${value};`);
    certain ||= always;
  }
  lines.push(certain ? `return s + "}";` : `return s === "" ? "{}" : s + "}";`);
  return compileFunction<Write>("m", lines.join("\n"), scope);
}

interface FieldWriter {
  /** `load` puts the value into `v`; `test` is empty if the field is always written. */
  readonly condition: { readonly load: string; readonly test: string };
  readonly value: string;
  readonly always: boolean;
}

function writeField(
  field: DescField,
  settings: JsonWriteSettings,
  scope: Record<string, unknown>,
  of: (desc: DescMessage) => Lazy<Write>,
): FieldWriter {
  const from = `m[${literal(field.oneof?.localName ?? field.localName)}]`;
  const emit = settings.alwaysEmitImplicit;
  switch (field.fieldKind) {
    case "list": {
      const name = `list${field.number}`;
      const { value } = valueWriter(field, "v[i]", settings, scope, of);
      scope[name] = compileFunction(
        "v",
        `const { length } = v; if (length === 0) return "[]";
         let i = 0, s = "[" + ${value};
         for (i = 1; i < length; i++) s += "," + ${value};
         return s + "]";`,
        { ...scope },
      );
      const load = `v = ${from}; if (!Array.isArray(v)) throw bail;`;
      return { condition: { load, test: emit ? "" : "v.length > 0" }, value: `${name}(v)`, always: emit };
    }
    case "map": {
      const name = `map${field.number}`;
      const { value } = valueWriter(field, "v[k]", settings, scope, of);
      scope[name] = compileFunction(
        "v",
        `let s = "";
         const keys = Object.keys(v);
         for (let i = 0; i < keys.length; i++) { const k = keys[i]; s += (s === "" ? "{" : ",") + text(k) + ":" + ${value}; }
         return s === "" ? "{}" : s + "}";`,
        { ...scope },
      );
      const load = `v = ${from};`;
      return { condition: { load, test: emit ? "" : "Object.keys(v).length > 0" }, value: `${name}(v)`, always: emit };
    }
    default: {
      const { value, isZero } = valueWriter(field, "v", settings, scope, of);
      if (field.oneof !== undefined) {
        const load = `v = ${from}; if (v.case === ${literal(field.localName)}) { v = v.value; } else { v = bail; }`;
        return { condition: { load, test: "v !== bail" }, value, always: false };
      }
      if (isAbsentWhenUnset(field)) {
        return { condition: { load: `v = ${from};`, test: "v !== undefined" }, value, always: false };
      }
      return { condition: { load: `v = ${from};`, test: emit ? "" : `!(${isZero})` }, value, always: emit };
    }
  }
}

function valueWriter(
  field: DescField,
  from: string,
  settings: JsonWriteSettings,
  scope: Record<string, unknown>,
  of: (desc: DescMessage) => Lazy<Write>,
): { value: string; isZero: string } {
  if (field.message !== undefined) {
    if (isLocalStruct(field)) {
      scope["fail"] = fail;
      return { value: "fail()", isZero: "false" };
    }
    const inner = unwrapped(field);
    if (inner !== undefined) return scalarWriter(inner, from);
    const name = `write${field.number}`;
    scope[name] = of(field.message);
    return { value: `${name}.call(${from})`, isZero: "false" };
  }
  if (field.enum !== undefined) {
    const zero = `${from} === ${field.enum.values[0]?.number ?? 0}`;
    const name = `enum${field.number}`;
    const isNull = field.enum.typeName === "google.protobuf.NullValue";
    const names = new Map(field.enum.values.map((value) => [value.number, JSON.stringify(value.jsonName)]));
    // Of several aliases, the library uses the one in its own table.
    for (const [number, value] of Object.entries(field.enum.value))
      names.set(Number(number), JSON.stringify(value.jsonName));
    scope[name] = (value: unknown): string => {
      if (typeof value !== "number") throw bail;
      if (isNull) return "null";
      const text = settings.enumAsInteger ? undefined : names.get(value);
      return text ?? number(value);
    };
    return { value: `${name}(${from})`, isZero: zero };
  }
  return scalarWriter(field, from);
}

function scalarWriter(field: DescField, from: string): { value: string; isZero: string } {
  switch (field.scalar) {
    case ScalarType.STRING:
      return { value: `text(${from})`, isZero: `${from} === ""` };
    case ScalarType.BOOL:
      return {
        value: `(${from} === true ? "true" : ${from} === false ? "false" : text(undefined))`,
        isZero: `${from} === false`,
      };
    case ScalarType.BYTES:
      return { value: `bytes(${from})`, isZero: `${from} instanceof Uint8Array && ${from}.byteLength === 0` };
    case ScalarType.FLOAT:
      return { value: `float(${from})`, isZero: `Object.is(${from}, 0)` };
    case ScalarType.DOUBLE:
      return { value: `number(${from})`, isZero: `Object.is(${from}, 0)` };
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return { value: `long(${from})`, isZero: `${from} == 0` };
    default:
      return { value: `number(${from})`, isZero: `${from} == 0` };
  }
}

function fail(): never {
  throw bail;
}

/** Writes a string as JSON. Short strings are scanned here, which is faster than calling `JSON.stringify`. */
function text(value: unknown): string {
  if (typeof value !== "string") throw bail;
  if (value.length > 48) return JSON.stringify(value);
  for (let at = 0; at < value.length; at += 1) {
    const code = value.charCodeAt(at);
    if (code < 32 || code === 34 || code === 92 || code >= 0xd800) return JSON.stringify(value);
  }
  return `"${value}"`;
}

function number(value: unknown): string {
  if (typeof value !== "number" || !Number.isFinite(value)) throw bail;
  return `${value}`;
}

function float(value: unknown): string {
  if (typeof value !== "number" || !Number.isFinite(value)) throw bail;
  return (value | 0) === value && value < 2 ** 24 && value > -(2 ** 24) ? `${value}` : number(shortestFloat(value));
}

function long(value: unknown): string {
  if (typeof value === "bigint") return `"${value}"`;
  return longText(value);
}

function longText(value: unknown): string {
  if (typeof value !== "string") throw bail;
  return text(value);
}

function bytes(value: unknown): string {
  if (!(value instanceof Uint8Array)) throw bail;
  return `"${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64")}"`;
}

const minSeconds = -62_135_596_800n;
const maxSeconds = 253_402_300_799n;

function writeTimestamp(message: unknown): string {
  const { $typeName, seconds, nanos } = message as { $typeName: string; seconds: unknown; nanos: unknown };
  if ($typeName !== "google.protobuf.Timestamp" || typeof seconds !== "bigint" || typeof nanos !== "number") throw bail;
  if (seconds < minSeconds || seconds > maxSeconds || !(nanos >= 0 && nanos <= 999_999_999)) throw bail;
  const whole = dateAndTime(Number(seconds));
  if (nanos === 0) return `"${whole}Z"`;
  if (!Number.isInteger(nanos)) throw bail;
  const fraction = String(nanos + 1_000_000_000).slice(1);
  if (fraction.endsWith("000000")) return `"${whole}.${fraction.slice(0, 3)}Z"`;
  if (fraction.endsWith("000")) return `"${whole}.${fraction.slice(0, 6)}Z"`;
  return `"${whole}.${fraction}Z"`;
}

const twoDigits = Array.from({ length: 60 }, (_, value) => String(value).padStart(2, "0"));

/** The last day written. Most times in a response fall on few days, and formatting the date is the costly part. */
const lastDay = { number: Number.NaN, text: "" };

/** `2026-01-31T12:00:00` */
function dateAndTime(seconds: number): string {
  const day = Math.floor(seconds / 86_400);
  if (day !== lastDay.number) {
    lastDay.number = day;
    lastDay.text = new Date(day * 86_400_000).toISOString().slice(0, 11);
  }
  const second = seconds - day * 86_400;
  const hour = Math.floor(second / 3600);
  const minute = Math.floor(second / 60) % 60;
  return `${lastDay.text}${twoDigits[hour]}:${twoDigits[minute]}:${twoDigits[second % 60]}`;
}
