import { bail } from "./compile.ts";

/**
 * The output of the current write. It is filled from the end towards the beginning, so that a length is known when it
 * is written: nothing is moved or measured in advance. Writing never awaits, so one instance is enough.
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

/** Largest buffer, in bytes, that is kept for the next write. */
const keepBytes = 1024 * 1024;

/** Copies the last `written` bytes of the output. */
export function takeOutput(written: number): Uint8Array {
  const { bytes } = output;
  const result = bytes.slice(bytes.length - written);
  if (bytes.length > keepBytes) use(new Uint8Array(4096));
  return result;
}

/** Makes room for `more` bytes in front of the bytes already written. */
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

/** Writes a 64-bit varint from its two halves. */
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

/**
 * Each function writes a value in front of the bytes already written, in the encoding of its scalar type (`varint` and
 * `byte` for tags and lengths). It takes the number of bytes written and returns the new number. A value of the wrong
 * type or out of range bails.
 */
export const outputs = {
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
};
