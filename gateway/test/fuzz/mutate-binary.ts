import type { Random } from "./random.ts";

/** Mutates wire-format bytes: byte by byte, or field by field so that they remain fields. */
export function mutateBinary(random: Random, bytes: Uint8Array): Uint8Array {
  const records = random.chance(0.6) ? recordsOf(bytes) : undefined;
  return records === undefined || records.length === 0 ? mutateBytes(random, bytes) : mutateRecords(random, records);
}

interface Record {
  readonly number: number;
  readonly wireType: number;
  /** The bytes after the tag, without the length of wire type 2. */
  readonly data: Uint8Array;
}

function mutateRecords(random: Random, records: readonly Record[]): Uint8Array {
  const changed = [...records];
  for (let times = random.pick([1, 1, 2, 4]); times > 0; times -= 1) {
    const at = random.below(changed.length);
    const record = changed[at];
    if (record === undefined) break;
    const { number, wireType, data } = record;
    switch (random.below(7)) {
      case 0:
        changed.splice(random.below(changed.length), 0, record);
        break;
      case 1:
        changed.splice(at, 1, {
          number: random.pick([number + 1, 9999, 536_870_911, 1, 15, 16, 2047]),
          wireType,
          data,
        });
        break;
      case 2:
        changed.splice(at, 1, { number, wireType: random.below(8), data });
        break;
      case 3:
        changed.splice(at, 1, { number, wireType, data: mutateBinary(random, data) });
        break;
      case 4:
        changed.splice(at, 1);
        break;
      case 5:
        changed.splice(at, 0, unknownField(random));
        break;
      default:
        changed.reverse();
    }
  }
  return Uint8Array.from(changed.flatMap((record) => [...encode(random, record)]));
}

function unknownField(random: Random): Record {
  const number = random.pick([1000, 20_000, 536_870_911]);
  return random.pick([
    { number, wireType: 0, data: varint(random.below(2 ** 32), random.below(6)) },
    { number, wireType: 1, data: new Uint8Array(8) },
    { number, wireType: 2, data: new Uint8Array(random.below(4)) },
    { number, wireType: 5, data: new Uint8Array(4) },
    // A group with one field.
    { number, wireType: 3, data: Uint8Array.from([8, 1, ...varint(number * 8 + 4, 0)]) },
    { number, wireType: 3, data: Uint8Array.from([8, 1]) },
  ]);
}

/** Encodes a record; occasionally a varint is longer than necessary. */
function encode(random: Random, { number, wireType, data }: Record): Uint8Array {
  const extra = random.chance(0.03) ? 1 + random.below(9) : 0;
  const tag = varint(number * 8 + wireType, extra);
  if (wireType !== 2) return Uint8Array.from([...tag, ...data]);
  return Uint8Array.from([...tag, ...varint(data.length, random.chance(0.03) ? 1 + random.below(4) : 0), ...data]);
}

function varint(value: number, extra: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  for (let at = 0; at < extra; at += 1) {
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) | 128;
    bytes.push(0);
  }
  return Uint8Array.from(bytes);
}

/** The consecutive fields; undefined if the bytes are not fields. */
function recordsOf(bytes: Uint8Array): Record[] | undefined {
  const records: Record[] = [];
  let at = 0;
  const readVarint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at];
      if (byte === undefined) return -1;
      at += 1;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = readVarint();
    const wireType = tag % 8;
    const start = at;
    let from = at;
    if (wireType === 0) readVarint();
    else if (wireType === 1) at += 8;
    else if (wireType === 5) at += 4;
    else if (wireType === 2) {
      const length = readVarint();
      from = at;
      at += length;
    } else return undefined;
    if (tag < 8 || at > bytes.length || at < start) return undefined;
    records.push({ number: Math.floor(tag / 8), wireType, data: bytes.subarray(from, at) });
  }
  return records;
}

function mutateBytes(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  if (copy.length === 0) return Uint8Array.from([random.below(256), random.below(256)]);
  const at = random.below(copy.length);
  switch (random.below(4)) {
    case 0:
      return copy.subarray(0, at);
    case 1:
      copy[at] = random.pick([0, 1, 127, 128, 255, random.below(256)]);
      return copy;
    case 2:
      return Uint8Array.from([...copy, ...copy.subarray(0, Math.min(20, copy.length))]);
    default:
      return Uint8Array.from([...copy.subarray(0, at), random.below(256), ...copy.subarray(at)]);
  }
}
