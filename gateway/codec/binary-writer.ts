import { type DescField, type DescMessage, type Message, ScalarType, toBinary } from "@bufbuild/protobuf";
import { outputs, takeOutput } from "./binary-output.ts";
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
import { tagOf, wireTypeOf } from "./wire-type.ts";

/** Writes one message type to the wire. Accepts the same messages as `toBinary` and produces the same bytes. */
export type BinaryWrite = (message: Message) => Uint8Array;

/** Takes the number of bytes written and returns the new number. */
type Write = (message: unknown, written: number) => number;

/** Creates a writer. */
export function binaryWriter(desc: DescMessage): BinaryWrite {
  const writer = compiler(desc);
  return (message) => {
    try {
      const written = writer.call(message, 0);
      return takeOutput(written);
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

/** Converts the property name of a map key to the key's type. Non-canonical text is left to the library. */
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
  const value = tagOf(number, wireType);
  return value < 0x80 ? `n = byte(${value}, n);` : `n = varint(${value}, n);`;
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

const helpers = { ...outputs, bail, intKey, longKey, fail };
