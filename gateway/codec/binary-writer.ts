import { type DescField, type DescMessage, type Message, ScalarType, toBinary } from "@bufbuild/protobuf";
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

/** Writes one message type to the wire. Equal to `toBinary` in its bytes and in acceptance. */
export type BinaryWrite = (message: Message) => Uint8Array;

/** Takes how many bytes are written and answers how many there are then. */
type Write = (message: unknown, written: number) => number;

/**
 * The output of the write that is going on. It is filled from its end towards its beginning: a length is known when it
 * has to be written, nothing is moved and nothing is measured before. Writing never awaits, so one is enough.
 */
const output: { bytes: Uint8Array; buffer: Buffer; view: DataView } = {
  bytes: new Uint8Array(4096),
  buffer: Buffer.alloc(0),
  view: new DataView(new ArrayBuffer(0)),
};
use(output.bytes);

function use(bytes: Uint8Array): void {
  output.bytes = bytes;
  output.buffer = Buffer.from(bytes.buffer);
  output.view = new DataView(bytes.buffer);
}

/** What one write may keep for the next. */
const keepBytes = 1024 * 1024;

/** Makes a writer. */
export function binaryWriter(desc: DescMessage): BinaryWrite {
  const writer = compiler(desc);
  return (message) => {
    try {
      const written = writer.call(message, 0);
      const { bytes } = output;
      const result = bytes.slice(bytes.length - written);
      if (bytes.length > keepBytes) use(new Uint8Array(4096));
      return result;
    } catch {
      return toBinary(desc, message);
    }
  };
}

const compiler = createCompiler<Write>((desc, of) => {
  if (!isCompilable(desc)) {
    return () => {
      throw bail;
    };
  }
  return compile(desc, of);
});

function compile(desc: DescMessage, of: (desc: DescMessage) => Lazy<Write>): Write {
  const scope: Record<string, unknown> = { ...helpers };
  const lines = [`if (m.$typeName !== ${literal(desc.typeName)} || m.$unknown !== undefined) throw bail;`, "let v, e;"];
  const fields = [...desc.fields].sort((left, right) => right.number - left.number);
  for (const field of fields) lines.push(...writeField(field, scope, of));
  lines.push("return n;");
  return compileFunction<Write>("m, n", lines.join("\n"), scope);
}

function writeField(
  field: DescField,
  scope: Record<string, unknown>,
  of: (desc: DescMessage) => Lazy<Write>,
): string[] {
  const from = `m[${literal(field.oneof?.localName ?? field.localName)}]`;
  switch (field.fieldKind) {
    case "list": {
      const { write, wireType } = valueWriter(field, "v[i]", scope, of);
      const loop = (tag: string): string => `for (let i = v.length - 1; i >= 0; i--) { ${write} ${tag} }`;
      if (field.listKind !== "message" && field.packed) {
        return [`v = ${from}; if (v.length > 0) { e = n; ${loop("")} n = varint(n - e, n); ${tag(field.number, 2)} }`];
      }
      return [`v = ${from}; ${loop(tag(field.number, wireType))}`];
    }
    case "map": {
      const { write, wireType } = valueWriter(field, "v[k]", scope, of);
      const key = scalarWriter(field.mapKey, "c");
      return [
        `v = ${from};
        const keys${field.number} = Object.keys(v);
        for (let i = keys${field.number}.length - 1; i >= 0; i--) {
          const k = keys${field.number}[i], c = ${convertKey(field.mapKey)}, w = n;
          ${write} ${tag(2, wireType)}
          ${key} ${tag(1, wireTypeOf(field.mapKey))}
          n = varint(n - w, n); ${tag(field.number, 2)}
        }`,
      ];
    }
    default: {
      const { write, wireType, isZero } = valueWriter(field, "v", scope, of);
      const body = `${write} ${tag(field.number, wireType)}`;
      if (field.oneof !== undefined) {
        return [`v = ${from}; if (v.case === ${literal(field.localName)}) { v = v.value; ${body} }`];
      }
      if (isAbsentWhenUnset(field)) return [`v = ${from}; if (v !== undefined) { ${body} }`];
      return [`v = ${from}; if (!(${isZero})) { ${body} }`];
    }
  }
}

/** The property name of a map key as the key's own type; what is not its canonical text is left to the library. */
function convertKey(type: ScalarType): string {
  switch (type) {
    case ScalarType.STRING:
      return "k";
    case ScalarType.BOOL:
      return `k === "true" ? true : k === "false" ? false : fail()`;
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return "longKey(k)";
    default:
      return "intKey(k)";
  }
}

interface ValueWriter {
  readonly write: string;
  readonly wireType: number;
  readonly isZero: string;
}

function valueWriter(
  field: DescField,
  from: string,
  scope: Record<string, unknown>,
  of: (desc: DescMessage) => Lazy<Write>,
): ValueWriter {
  if (field.message !== undefined) {
    if (isLocalStruct(field)) return { write: "fail();", wireType: 2, isZero: "false" };
    const inner = unwrapped(field);
    const start = `s${field.number}`;
    if (inner?.scalar !== undefined) {
      const write = `if (!(${zeroTest(inner.scalar, from)})) { ${scalarWriter(inner.scalar, from)} ${tag(1, wireTypeOf(inner.scalar))} }`;
      return { write: `const ${start} = n; ${write} n = varint(n - ${start}, n);`, wireType: 2, isZero: "false" };
    }
    const name = `write${field.number}`;
    scope[name] = of(field.message);
    return {
      write: `const ${start} = n; n = ${name}.call(${from}, n); n = varint(n - ${start}, n);`,
      wireType: 2,
      isZero: "false",
    };
  }
  if (field.enum !== undefined) {
    return {
      write: scalarWriter(ScalarType.INT32, from),
      wireType: 0,
      isZero: `${from} === ${field.enum.values[0]?.number ?? 0}`,
    };
  }
  const type = field.scalar ?? ScalarType.STRING;
  return { write: scalarWriter(type, from), wireType: wireTypeOf(type), isZero: zeroTest(type, from) };
}

function zeroTest(type: ScalarType, from: string): string {
  switch (type) {
    case ScalarType.STRING:
      return `${from} === ""`;
    case ScalarType.BOOL:
      return `${from} === false`;
    case ScalarType.BYTES:
      return `${from} instanceof Uint8Array && ${from}.byteLength === 0`;
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return `Object.is(${from}, 0)`;
    default:
      return `${from} == 0`;
  }
}

function scalarWriter(type: ScalarType, from: string): string {
  switch (type) {
    case ScalarType.STRING:
      return `n = text(${from}, n);`;
    case ScalarType.BYTES:
      return `n = bytes(${from}, n);`;
    case ScalarType.BOOL:
      return `n = bool(${from}, n);`;
    case ScalarType.INT32:
      return `n = int32(${from}, n);`;
    case ScalarType.UINT32:
      return `n = uint32(${from}, n);`;
    case ScalarType.SINT32:
      return `n = sint32(${from}, n);`;
    case ScalarType.INT64:
      return `n = int64(${from}, n);`;
    case ScalarType.UINT64:
      return `n = uint64(${from}, n);`;
    case ScalarType.SINT64:
      return `n = sint64(${from}, n);`;
    case ScalarType.DOUBLE:
      return `n = double(${from}, n);`;
    case ScalarType.FLOAT:
      return `n = float(${from}, n);`;
    case ScalarType.FIXED32:
      return `n = fixed32(${from}, n);`;
    case ScalarType.SFIXED32:
      return `n = sfixed32(${from}, n);`;
    case ScalarType.FIXED64:
      return `n = fixed64(${from}, n);`;
    case ScalarType.SFIXED64:
      return `n = sfixed64(${from}, n);`;
    default:
      return type satisfies never;
  }
}

function tag(number: number, wireType: number): string {
  const value = ((number << 3) | wireType) >>> 0;
  return value < 0x80 ? `n = byte(${value}, n);` : `n = varint(${value}, n);`;
}

function wireTypeOf(type: ScalarType): number {
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return 2;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return 1;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return 5;
    default:
      return 0;
  }
}

/** Makes room for `more` bytes in front of those that are written. */
function reserve(written: number, more: number): void {
  const { bytes } = output;
  if (bytes.length - written >= more) return;
  let size = bytes.length * 2;
  while (size - written < more) size *= 2;
  const larger = new Uint8Array(size);
  larger.set(bytes.subarray(bytes.length - written), size - written);
  use(larger);
}

function byte(value: number, n: number): number {
  const { bytes } = output;
  const at = bytes.length - n - 1;
  if (at < 0) {
    reserve(n, 1);
    return byte(value, n);
  }
  bytes[at] = value;
  return n + 1;
}

function varint(value: number, n: number): number {
  if (value < 0x80) return byte(value, n);
  reserve(n, 5);
  const size = value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
  const { bytes } = output;
  let at = bytes.length - n - size;
  let rest = value;
  while (rest > 0x7f) {
    bytes[at] = (rest & 0x7f) | 0x80;
    at += 1;
    rest >>>= 7;
  }
  bytes[at] = rest;
  return n + size;
}

function text(value: unknown, n: number): number {
  if (typeof value !== "string") throw bail;
  const { length } = value;
  if (length <= 32) {
    reserve(n, length + 1);
    const { bytes } = output;
    let at = bytes.length - n;
    let index = length - 1;
    for (; index >= 0; index -= 1) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) break;
      at -= 1;
      bytes[at] = code;
    }
    if (index < 0) {
      bytes[at - 1] = length;
      return n + length + 1;
    }
  }
  const size = Buffer.byteLength(value, "utf8");
  reserve(n, size);
  output.buffer.write(value, output.bytes.length - n - size, size, "utf8");
  return varint(size, n + size);
}

function bytes(value: unknown, n: number): number {
  if (!(value instanceof Uint8Array)) throw bail;
  const size = value.byteLength;
  reserve(n, size);
  output.bytes.set(value, output.bytes.length - n - size);
  return varint(size, n + size);
}

function bool(value: unknown, n: number): number {
  if (typeof value !== "boolean") throw bail;
  return byte(value ? 1 : 0, n);
}

function int32(value: unknown, n: number): number {
  if (typeof value !== "number" || (value | 0) !== value) throw bail;
  if (value >= 0) return varint(value, n);
  return longVarint(value >>> 0, 0xffff_ffff, n);
}

function uint32(value: unknown, n: number): number {
  if (typeof value !== "number" || value >>> 0 !== value) throw bail;
  return varint(value, n);
}

function sint32(value: unknown, n: number): number {
  if (typeof value !== "number" || (value | 0) !== value) throw bail;
  return varint(((value << 1) ^ (value >> 31)) >>> 0, n);
}

const scratch = new DataView(new ArrayBuffer(8));

function int64(value: unknown, n: number): number {
  if (typeof value !== "bigint") throw bail;
  if (value >= 0n && value <= 0xffff_ffffn) return varint(Number(value), n);
  if (BigInt.asIntN(64, value) !== value) throw bail;
  scratch.setBigInt64(0, value, true);
  return longVarint(scratch.getUint32(0, true), scratch.getUint32(4, true), n);
}

function uint64(value: unknown, n: number): number {
  if (typeof value !== "bigint") throw bail;
  if (value >= 0n && value <= 0xffff_ffffn) return varint(Number(value), n);
  if (BigInt.asUintN(64, value) !== value) throw bail;
  scratch.setBigUint64(0, value, true);
  return longVarint(scratch.getUint32(0, true), scratch.getUint32(4, true), n);
}

function sint64(value: unknown, n: number): number {
  if (typeof value !== "bigint" || BigInt.asIntN(64, value) !== value) throw bail;
  return uint64(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)), n);
}

/** A varint of 64 bits from its halves. */
function longVarint(low: number, high: number, n: number): number {
  reserve(n, 10);
  const { bytes } = output;
  let size = 0;
  const groups = longGroups;
  let lo = low;
  let hi = high;
  do {
    groups[size] = lo & 0x7f;
    size += 1;
    lo = ((lo >>> 7) | (hi << 25)) >>> 0;
    hi >>>= 7;
  } while (lo !== 0 || hi !== 0);
  const at = bytes.length - n - size;
  for (let index = 0; index < size; index += 1) {
    bytes[at + index] = (groups[index] ?? 0) | (index === size - 1 ? 0 : 0x80);
  }
  return n + size;
}
const longGroups = new Uint8Array(10);

function fixed(n: number, size: number): number {
  reserve(n, size);
  return output.bytes.length - n - size;
}

function double(value: unknown, n: number): number {
  if (typeof value !== "number") throw bail;
  const at = fixed(n, 8);
  output.view.setFloat64(at, value, true);
  return n + 8;
}

function float(value: unknown, n: number): number {
  if (typeof value !== "number") throw bail;
  if (!Number.isFinite(Math.fround(value)) && Number.isFinite(value)) throw bail;
  const at = fixed(n, 4);
  output.view.setFloat32(at, value, true);
  return n + 4;
}

function fixed32(value: unknown, n: number): number {
  if (typeof value !== "number" || value >>> 0 !== value) throw bail;
  const at = fixed(n, 4);
  output.view.setUint32(at, value, true);
  return n + 4;
}

function sfixed32(value: unknown, n: number): number {
  if (typeof value !== "number" || (value | 0) !== value) throw bail;
  const at = fixed(n, 4);
  output.view.setInt32(at, value, true);
  return n + 4;
}

function fixed64(value: unknown, n: number): number {
  if (typeof value !== "bigint" || BigInt.asUintN(64, value) !== value) throw bail;
  const at = fixed(n, 8);
  output.view.setBigUint64(at, value, true);
  return n + 8;
}

function sfixed64(value: unknown, n: number): number {
  if (typeof value !== "bigint" || BigInt.asIntN(64, value) !== value) throw bail;
  const at = fixed(n, 8);
  output.view.setBigInt64(at, value, true);
  return n + 8;
}

function intKey(key: string): number {
  const value = Number(key);
  if (String(value) !== key) throw bail;
  return value;
}

function longKey(key: string): bigint {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(key)) throw bail;
  return BigInt(key);
}

function fail(): never {
  throw bail;
}

const helpers = {
  bail,
  byte,
  varint,
  text,
  bytes,
  bool,
  int32,
  uint32,
  sint32,
  int64,
  uint64,
  sint64,
  double,
  float,
  fixed32,
  sfixed32,
  fixed64,
  sfixed64,
  intKey,
  longKey,
  fail,
};
