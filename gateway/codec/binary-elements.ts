import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { ElementLimitError } from "./element-limit.ts";
import { wireTypeOf } from "./wire-type.ts";

/** How the bytes of a value are skipped: a varint, 4 or 8 bytes, or a length-prefixed run. Numbers are wire types. */
type Form = 0 | 1 | 2 | 5;

type FieldPlan =
  | { readonly kind: "scalar"; readonly form: Form }
  | { readonly kind: "list"; readonly form: Form; readonly packable: boolean }
  | { readonly kind: "message"; readonly message: DescMessage; readonly delimited: boolean }
  | { readonly kind: "map"; readonly key: Form; readonly value: Form | DescMessage };

const plans = new WeakMap<DescMessage, Map<number, FieldPlan>>();
const malformed: unique symbol = Symbol("left to the decoder");
/** Nesting depth of messages. It exceeds the library's limit, so everything that the library reads is counted. */
const maxDepth = 110;

/**
 * Checks that an encoded message holds at most `maxElements` elements, before it is decoded. Unknown fields count too.
 * Like `fromBinary`, it reads by a field's declared type and not by its wire type. Input that `fromBinary` rejects
 * passes silently.
 *
 * An element takes at least one byte, so short messages are not scanned.
 *
 * @throws ElementLimitError
 */
export function assertBinaryElements(desc: DescMessage, bytes: Uint8Array, maxElements: number): void {
  if (bytes.length <= maxElements) return;
  try {
    new Counter(bytes, maxElements).message(desc, bytes.length, 1);
  } catch (error) {
    if (error !== malformed) throw error;
  }
}

class Counter {
  readonly #bytes: Uint8Array;
  readonly #maxElements: number;
  #at = 0;
  #elements = 0;

  constructor(bytes: Uint8Array, maxElements: number) {
    this.#bytes = bytes;
    this.#maxElements = maxElements;
  }

  message(desc: DescMessage, length: number, depth: number): void {
    if (depth > maxDepth) throw malformed;
    const fields = planOf(desc);
    const end = this.#at + length;
    while (this.#at < end) {
      const tag = this.#varint();
      this.#field(fields.get(tag >>> 3), tag, depth);
    }
  }

  #group(desc: DescMessage, depth: number): void {
    if (depth > maxDepth) throw malformed;
    const fields = planOf(desc);
    for (;;) {
      const tag = this.#varint();
      if ((tag & 7) === 4) return;
      this.#field(fields.get(tag >>> 3), tag, depth);
    }
  }

  #field(field: FieldPlan | undefined, tag: number, depth: number): void {
    if (field === undefined) {
      this.#count();
      this.#unknown(tag & 7, depth);
      return;
    }
    switch (field.kind) {
      case "scalar":
        this.#skip(field.form);
        return;
      case "list":
        if ((tag & 7) !== 2 || !field.packable) {
          this.#count();
          this.#skip(field.form);
          return;
        }
        for (const end = this.#varint() + this.#at; this.#at < end; ) {
          this.#count();
          this.#skip(field.form);
        }
        return;
      case "message":
        this.#count();
        if (field.delimited) this.#group(field.message, depth + 1);
        else this.message(field.message, this.#varint(), depth + 1);
        return;
      case "map":
        this.#count();
        this.#entry(field, depth);
        return;
      default:
        field satisfies never;
    }
  }

  #entry({ key, value }: FieldPlan & { kind: "map" }, depth: number): void {
    // A key and a value belong to the entry; further ones cost as much as entries do.
    let parts = 0;
    for (const end = this.#varint() + this.#at; this.#at < end; ) {
      parts += 1;
      if (parts > 2) this.#count();
      const tag = this.#varint();
      const number = tag >>> 3;
      if (number === 1) this.#skip(key);
      else if (number !== 2) this.#unknown(tag & 7, depth);
      else if (typeof value === "number") this.#skip(value);
      else this.message(value, this.#varint(), depth + 1);
    }
  }

  #unknown(wireType: number, depth: number): void {
    if (wireType !== 3) {
      if (wireType > 5 || wireType === 4) throw malformed;
      this.#skip(wireType as Form);
      return;
    }
    if (depth > maxDepth) throw malformed;
    for (let tag = this.#varint(); (tag & 7) !== 4; tag = this.#varint()) this.#unknown(tag & 7, depth + 1);
  }

  #skip(form: Form): void {
    switch (form) {
      case 0:
        this.#varint();
        return;
      case 1:
        this.#at += 8;
        break;
      case 5:
        this.#at += 4;
        break;
      case 2: {
        const length = this.#varint();
        this.#at += length;
        break;
      }
      default:
        form satisfies never;
    }
    if (this.#at > this.#bytes.length) throw malformed;
  }

  /** The low 32 bits of a varint. */
  #varint(): number {
    let value = 0;
    for (let index = 0; index < 10; index += 1) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw malformed;
      this.#at += 1;
      if (index < 5) value |= (byte & 0x7f) << (7 * index);
      if (byte < 0x80) return value >>> 0;
    }
    throw malformed;
  }

  #count(): void {
    this.#elements += 1;
    if (this.#elements > this.#maxElements) throw new ElementLimitError(this.#maxElements);
  }
}

function planOf(desc: DescMessage): Map<number, FieldPlan> {
  let plan = plans.get(desc);
  if (plan === undefined) {
    plan = new Map(desc.fields.map((field) => [field.number, planField(field)]));
    plans.set(desc, plan);
  }
  return plan;
}

function planField(field: DescField): FieldPlan {
  switch (field.fieldKind) {
    case "map":
      return {
        kind: "map",
        key: formOf(field.mapKey),
        value: field.mapKind === "message" ? field.message : formOf(field.scalar ?? ScalarType.INT32),
      };
    case "message":
      return { kind: "message", message: field.message, delimited: field.delimitedEncoding };
    case "list":
      if (field.listKind === "message") {
        return { kind: "message", message: field.message, delimited: field.delimitedEncoding };
      }
      return listOf(field.scalar ?? ScalarType.INT32);
    default:
      return { kind: "scalar", form: formOf(field.scalar ?? ScalarType.INT32) };
  }
}

function listOf(type: ScalarType): FieldPlan {
  const form = formOf(type);
  return { kind: "list", form, packable: form !== 2 };
}

function formOf(type: ScalarType): Form {
  return wireTypeOf(type) as Form;
}
