import type { DescField, DescMessage, DescOneof, ScalarType } from "@bufbuild/protobuf";
import { Edition, FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";

/**
 * How these codecs work: for each message type, a function for ordinary data is generated as source and compiled once.
 * On anything else (`null`, an unknown field, a wrong type, a value out of range) it throws {@link bail}, and the
 * library processes the whole message again. The library alone thus decides what is accepted, what it means and what an
 * error says; the generated code only has to be correct for the input it accepts.
 */
export const bail: unique symbol = Symbol("left to the library");

/** Nesting depth of messages allowed by the library. */
export const recursionLimit = 100;

/**
 * True for messages that the generated functions support: proto3, no field name that is a property of every object, and
 * no closed enum. proto2 (groups, extensions, defaults) and editions are left to the library.
 */
export function isCompilable(desc: DescMessage): boolean {
  return (
    desc.file.edition === Edition.EDITION_PROTO3 &&
    desc.members.every((member) => isPlainName(member.localName)) &&
    desc.fields.every((field) => isPlainName(field.jsonName) && isPlainName(field.name)) &&
    desc.fields.every((field) => field.enum?.open !== false) &&
    desc.fields.length < 400
  );
}

/** Integer-like names would change the key order of a JSON object; others are properties of `Object.prototype`. */
function isPlainName(name: string): boolean {
  return !(name in Object.prototype) && !/^\d/.test(name) && name !== "";
}

/** True for a field that is absent from the message object while unset. */
export function isAbsentWhenUnset(field: DescField): boolean {
  return field.presence !== FeatureSet_FieldPresence.IMPLICIT;
}

/** The value field of a wrapper type in a singular field, which the library represents as the bare value. */
export function unwrapped(field: DescField): DescField | undefined {
  if (field.fieldKind !== "message" || field.oneof !== undefined) return undefined;
  return isWrapper(field.message) ? field.message.fields[0] : undefined;
}

function isWrapper({ typeName }: DescMessage): boolean {
  return /^google\.protobuf\.(Double|Float|U?Int(32|64)|Bool|String|Bytes)Value$/.test(typeName);
}

/** The scalar type of a wrapper's value; undefined for any other message. */
export function wrappedScalar(desc: DescMessage): ScalarType | undefined {
  return isWrapper(desc) ? desc.fields[0]?.scalar : undefined;
}

/** True for a Struct that the library represents as plain JSON. */
export function isLocalStruct(field: DescField): boolean {
  return field.message?.typeName === "google.protobuf.Struct" && field.parent.typeName !== "google.protobuf.Value";
}

/** The members of a message with the JavaScript expression of each one's unset value. */
export function zeroOf(member: DescField | DescOneof, zeroScalar: (field: DescField) => string): string | undefined {
  if (member.kind === "oneof") return "{ case: undefined }";
  switch (member.fieldKind) {
    case "list":
      return "[]";
    case "map":
      return "{}";
    case "message":
      return undefined;
    default:
      return isAbsentWhenUnset(member) ? undefined : zeroScalar(member);
  }
}

/** True if 64-bit values of the field are represented as text (`jstype = JS_STRING`). Never true in maps. */
export function isLongText(field: DescField): boolean {
  return (
    (field.fieldKind === "scalar" || (field.fieldKind === "list" && field.listKind === "scalar")) && field.longAsString
  );
}

/** A literal for generated source. */
export function literal(value: string | number | undefined): string {
  return value === undefined ? "undefined" : JSON.stringify(value);
}

/** A function that is compiled on its first call, because message types may be recursive. */
export interface Lazy<F> {
  call: F;
}

/**
 * Caches one compiled function per message type.
 *
 * @param compile creates it, and may obtain others, including itself, through `of`.
 */
export function createCompiler<F>(
  compile: (desc: DescMessage, of: (desc: DescMessage) => Lazy<F>) => F,
): (desc: DescMessage) => Lazy<F> {
  const known = new WeakMap<DescMessage, Lazy<F>>();
  const of = (desc: DescMessage): Lazy<F> => {
    const existing = known.get(desc);
    if (existing !== undefined) return existing;
    const lazy = {} as Lazy<F>;
    known.set(desc, lazy);
    // Compiled on the first call, so that a registry of thousands of types costs nothing.
    const first = (...parameters: unknown[]): unknown => {
      lazy.call = compile(desc, of);
      return (lazy.call as (...all: unknown[]) => unknown)(...parameters);
    };
    lazy.call = first as F;
    return lazy;
  };
  return of;
}

/** Compiles a function body with its parameters and the values it refers to by name. */
export function compileFunction<F>(parameters: string, body: string, scope: Readonly<Record<string, unknown>>): F {
  const names = Object.keys(scope);
  const make = new Function(...names, `"use strict";\nreturn function (${parameters}) {\n${body}\n};`) as (
    ...values: unknown[]
  ) => F;
  return make(...names.map((name) => scope[name]));
}
