/** A varint of the Protobuf wire format. */
export function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    bytes.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) return Buffer.from(bytes);
  }
}

/** A message with one length-delimited field. */
export function binaryMessage(field: number, data: Buffer): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(data.length), data]);
}

/**
 * Nested messages, in turn in each of the fields from the outermost; built from the inside, so any depth is possible.
 */
export function nestedMessages(fields: readonly number[], depth: number): Buffer {
  const heads: Buffer[] = [];
  let size = 0;
  for (let level = depth - 1; level >= 0; level -= 1) {
    const head = Buffer.concat([varint((fields[level % fields.length] ?? 1) * 8 + 2), varint(size)]);
    heads.push(head);
    size += head.length;
  }
  return Buffer.concat(heads.reverse());
}
