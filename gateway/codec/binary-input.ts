import { isUtf8 } from "node:buffer";
import { bail } from "./compile.ts";

/** The input of the current read. Reading never awaits, so one instance is enough. */
export const input: { bytes: Uint8Array; buffer: Buffer; view: DataView; position: number } = {
  bytes: new Uint8Array(),
  buffer: Buffer.alloc(0),
  view: new DataView(new ArrayBuffer(0)),
  position: 0,
};

/** Starts reading the bytes. */
export function useInput(bytes: Uint8Array): void {
  input.bytes = bytes;
  input.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  input.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The low 32 bits of the varint at `at`. Advances `input.position` past it. Bails on more than ten bytes. */
function varint(at: number): number {
  const { bytes } = input;
  let value = 0;
  for (let index = 0; index < 10; index += 1) {
    const byte = bytes[at + index];
    if (byte === undefined) throw bail;
    if (index < 5) value |= (byte & 0x7f) << (7 * index);
    if (byte < 0x80) {
      input.position = at + index + 1;
      return value >>> 0;
    }
  }
  throw bail;
}

const scratch = new DataView(new ArrayBuffer(8));
const small = Array.from({ length: 1024 }, (_, index) => BigInt(index));

/** @param kind 0 signed, 1 unsigned, 2 zig-zag. */
function varint64(at: number, kind: 0 | 1 | 2): bigint {
  const { bytes } = input;
  let low = 0;
  let high = 0;
  for (let index = 0; index < 10; index += 1) {
    const byte = bytes[at + index];
    if (byte === undefined) throw bail;
    const bits = byte & 0x7f;
    if (index < 4) low |= bits << (7 * index);
    else if (index === 4) {
      low |= bits << 28;
      high |= bits >>> 4;
    } else high |= bits << (7 * index - 32);
    if (byte < 0x80) {
      input.position = at + index + 1;
      if (kind !== 2 && high === 0 && low >= 0) return small[low] ?? BigInt(low);
      if (kind === 2) {
        const sign = -(low & 1);
        low = ((low >>> 1) | ((high & 1) << 31)) ^ sign;
        high = (high >>> 1) ^ sign;
      }
      scratch.setInt32(0, low, true);
      scratch.setInt32(4, high, true);
      return kind === 1 ? scratch.getBigUint64(0, true) : scratch.getBigInt64(0, true);
    }
  }
  throw bail;
}

function text(from: number, to: number): string {
  if (to - from <= 12) {
    const { bytes } = input;
    let short = "";
    for (let at = from; at < to; at += 1) {
      const byte = bytes[at] ?? 0x80;
      if (byte > 0x7f) return native(from, to);
      short += String.fromCharCode(byte);
    }
    return short;
  }
  return native(from, to);
}

function native(from: number, to: number): string {
  const value = input.buffer.toString("utf8", from, to);
  if (value.includes("\ufffd") && !isUtf8(input.buffer.subarray(from, to))) throw bail;
  return value;
}

/** The functions called by generated readers. Each bails on input that the library must handle. */
export const inputs = { varint, varint64, text };
