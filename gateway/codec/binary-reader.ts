import { type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { assertBinaryElements } from "./binary-elements.ts";
import { input, inputs, useInput } from "./binary-input.ts";
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
import { readProtoBinary } from "./proto-binary.ts";
import { tagOf, wireTypeOf } from "./wire-type.ts";

/** Reads one message type from the wire. Accepts the same input as `readProtoBinary`, with the same result. */
export type BinaryRead = (bytes: Uint8Array) => Message;

type Read = (position: number, end: number, depth: number) => unknown;

/**
 * Creates a reader.
 *
 * @param options `maxElements`: messages with more elements are rejected with an ElementLimitError before they are
 * decoded.
 */
export function binaryReader(desc: DescMessage, options: { readonly maxElements?: number } = {}): BinaryRead {
  const reader = compiler(desc);
  const { maxElements = Number.POSITIVE_INFINITY } = options;
  return (bytes) => {
    assertBinaryElements(desc, bytes, maxElements);
    try {
      useInput(bytes);
      return reader.call(0, bytes.length, 1) as Message;
    } catch {
      return readProtoBinary(desc, bytes);
    }
  };
}

const compiler = createCompiler<Read>((desc, of) => {
  if (!isCompilable(desc)) {
    return () => {
      throw bail;
    };
  }
  return compile(desc, of);
});

function compile(desc: DescMessage, of: (desc: DescMessage) => Lazy<Read>): Read {
  const scope: Record<string, unknown> = { ...helpers };
  const init: string[] = [`$typeName: ${literal(desc.typeName)}`];
  const later: string[] = [];
  const lines = [`if (depth > ${recursionLimit} || p > end) throw bail;`, "const b = input.bytes;"];
  const cases: string[] = [];
  for (const [index, member] of desc.members.entries()) {
    const target = `m${index}`;
    const zero = zeroOf(member, zeroScalar);
    lines.push(`let ${target} = ${zero ?? "undefined"};`);
    if (zero === undefined) later.push(`if (${target} !== undefined) m[${literal(member.localName)}] = ${target};`);
    else init.push(`${literal(member.localName)}: ${target}`);
    const fields = member.kind === "oneof" ? member.fields : [member];
    for (const field of fields) cases.push(...fieldCases(field, target, scope, of));
  }
  lines.push(
    "while (p < end) {",
    "let t = b[p++];",
    // Tags longer than three bytes have rules of their own.
    "if (t > 127) { const a = p - 1; t = varint(a); p = input.position; if (p - a > 3) throw bail; }",
    "switch (t) {",
    ...cases,
    "default: throw bail;",
    "}",
    "}",
    "if (p !== end) throw bail;",
    `const m = { ${init.join(", ")} };`,
    ...later,
    "return m;",
  );
  return compileFunction<Read>("p, end, depth", lines.join("\n"), scope);
}

const length = "let l = b[p++]; if (l > 127) { l = varint(p - 1); p = input.position; } if (p + l > end) throw bail;";

function fieldCases(
  field: DescField,
  target: string,
  scope: Record<string, unknown>,
  of: (desc: DescMessage) => Lazy<Read>,
): string[] {
  const store = (value: string): string =>
    field.oneof
      ? `${target} = { case: ${literal(field.localName)}, value: ${value} };`
      : field.fieldKind === "list"
        ? `${target}.push(${value});`
        : `${target} = ${value};`;
  const block = (tag: number, body: string): string => `case ${tag}: { ${body} break; }`;
  if (field.fieldKind === "map")
    return [block(tagOf(field.number, 2), `${length} ${readEntry(field, target, scope, of)}`)];
  if (field.message !== undefined) {
    if (isLocalStruct(field)) return [block(tagOf(field.number, 2), "throw bail;")];
    const name = `read${field.number}`;
    scope[name] = of(field.message);
    const inner = unwrapped(field);
    const call = `${name}.call(p, p + l, depth + 1)`;
    // A second occurrence is merged into the first. This is rare and left to the library.
    const once = field.oneof
      ? `if (${target}.case === ${literal(field.localName)}) throw bail;`
      : field.fieldKind === "list"
        ? ""
        : `if (${target} !== undefined) throw bail;`;
    const value = inner === undefined ? call : `${call}[${literal(inner.localName)}]`;
    return [block(tagOf(field.number, 2), `${length} ${once} ${store(value)} p += l;`)];
  }
  const type = field.enum === undefined ? (field.scalar ?? ScalarType.STRING) : ScalarType.INT32;
  const asText = isLongText(field);
  const { read, value } = scalarReader(type, asText);
  const single = block(tagOf(field.number, wireTypeOf(type)), `${read} ${store(value)}`);
  if (field.fieldKind !== "list" || type === ScalarType.STRING || type === ScalarType.BYTES) return [single];
  const packed = block(
    tagOf(field.number, 2),
    `${length} const q = p + l; while (p < q) { ${read} ${store(value)} } if (p !== q) throw bail;`,
  );
  return [single, packed];
}

/** Reads a map entry of `l` bytes at `p`: a key and a value, in any order, either of which may be missing. */
function readEntry(
  field: DescField & { fieldKind: "map" },
  target: string,
  scope: Record<string, unknown>,
  of: (desc: DescMessage) => Lazy<Read>,
): string {
  const key = scalarReader(field.mapKey, false);
  let readValue: string;
  let zeroValue: string;
  let wireType: number;
  if (field.mapKind === "message") {
    if (isLocalStruct(field)) return "throw bail;";
    const name = `read${field.number}`;
    scope[name] = of(field.message);
    readValue = `{ const end = q; ${length} if (x !== undefined) throw bail; x = ${name}.call(p, p + l, depth + 1); p += l; }`;
    zeroValue = `${name}.call(0, 0, depth + 1)`;
    wireType = 2;
  } else {
    const type = field.mapKind === "enum" ? ScalarType.INT32 : field.scalar;
    const reader = scalarReader(type, false);
    readValue = `{ const end = q; ${reader.read} x = ${reader.value}; }`;
    zeroValue = field.mapKind === "enum" ? String(field.enum.values[0]?.number ?? 0) : zeroText(type);
    wireType = wireTypeOf(type);
  }
  return `const q = p + l; let k, x;
    while (p < q) {
      const t = b[p++];
      if (t === ${tagOf(1, wireTypeOf(field.mapKey))}) { const end = q; ${key.read} k = ${key.value}; }
      else if (t === ${tagOf(2, wireType)}) ${readValue}
      else throw bail;
    }
    if (p !== q || k === "__proto__") throw bail;
    ${target}[k === undefined ? ${zeroText(field.mapKey)} : k] = x === undefined ? ${zeroValue} : x;`;
}

const varint32 = "let y = b[p++]; if (y > 127) { y = varint(p - 1); p = input.position; }";

/** Source that reads at `p`, and the expression of the value. Names are local to the block. */
function scalarReader(type: ScalarType, asText: boolean): { read: string; value: string } {
  const wide = (expression: string): string => (asText ? `String(${expression})` : expression);
  const fixed = (size: number, expression: string): { read: string; value: string } => ({
    read: `p += ${size}; if (p > end) throw bail;`,
    value: expression,
  });
  switch (type) {
    case ScalarType.STRING:
      return { read: `${length} const a = p; p += l;`, value: "text(a, p)" };
    case ScalarType.BYTES:
      return { read: `${length} const a = p; p += l;`, value: "b.subarray(a, p)" };
    case ScalarType.BOOL:
      return { read: "const y = b[p++]; if (y > 1) throw bail;", value: "y === 1" };
    case ScalarType.INT32:
      return { read: varint32, value: "y | 0" };
    case ScalarType.UINT32:
      return { read: varint32, value: "y" };
    case ScalarType.SINT32:
      return { read: varint32, value: "(y >>> 1) ^ -(y & 1)" };
    case ScalarType.INT64:
      return { read: "const y = varint64(p, 0); p = input.position;", value: wide("y") };
    case ScalarType.UINT64:
      return { read: "const y = varint64(p, 1); p = input.position;", value: wide("y") };
    case ScalarType.SINT64:
      return { read: "const y = varint64(p, 2); p = input.position;", value: wide("y") };
    case ScalarType.DOUBLE:
      return fixed(8, "input.view.getFloat64(p - 8, true)");
    case ScalarType.FLOAT:
      return fixed(4, "input.view.getFloat32(p - 4, true)");
    case ScalarType.FIXED32:
      return fixed(4, "input.view.getUint32(p - 4, true)");
    case ScalarType.SFIXED32:
      return fixed(4, "input.view.getInt32(p - 4, true)");
    case ScalarType.FIXED64:
      return fixed(8, wide("input.view.getBigUint64(p - 8, true)"));
    case ScalarType.SFIXED64:
      return fixed(8, wide("input.view.getBigInt64(p - 8, true)"));
    default:
      return type satisfies never;
  }
}

const helpers = { ...inputs, bail, input };

function zeroScalar(field: DescField): string {
  if (field.enum !== undefined) return String(field.enum.values[0]?.number ?? 0);
  if (isLongText(field)) return `"0"`;
  return zeroText(field.scalar ?? ScalarType.STRING);
}

function zeroText(type: ScalarType): string {
  switch (type) {
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
      return "0n";
    default:
      return "0";
  }
}
