import type { DescEnum, DescField, DescMessage, Message, UnknownField } from "@bufbuild/protobuf";
import type { ExactJson } from "./exact-json.ts";
import { isObject } from "./map-json.ts";
import { unknownEntry, unknownNumber } from "./unknown-enum.ts";

type Fields = Record<string, unknown>;

/**
 * True for a number that a closed enum (proto2, or editions where declared closed) does not define. A reader keeps it
 * as an unknown field, wherever it occurs (protobuf.dev/programming-guides/enum).
 */
export function isUnknownNumber(type: DescEnum | undefined, value: unknown): value is number {
  if (type === undefined || type.open || typeof value !== "number" || (value | 0) !== value) return false;
  return !type.values.some(({ number }) => number === value);
}

/**
 * Moves unknown numbers of closed enums from lists and maps of a decoded message to its unknown fields. The library
 * does so only for singular fields.
 */
export function moveUnknownNumbers(desc: DescMessage, message: Message): void {
  for (const field of fieldsToSearch(desc)) {
    const value = heldBy(message, field);
    if (value === undefined) continue;
    if (field.fieldKind === "list" && field.listKind === "enum") {
      const numbers = value as number[];
      const known = numbers.filter((number) => !isUnknownNumber(field.enum, number));
      if (known.length === numbers.length) continue;
      keep(message, ...numbers.filter((number) => isUnknownNumber(field.enum, number)).map(unknownNumber(field)));
      (message as unknown as Fields)[field.localName] = known;
    } else if (field.fieldKind === "map" && field.mapKind === "enum") {
      const map = value as Record<string, number>;
      for (const [key, number] of Object.entries(map)) {
        if (!isUnknownNumber(field.enum, number)) continue;
        keep(message, unknownEntry(field, key, number));
        delete map[key];
      }
    } else if (field.message !== undefined) {
      for (const inner of messagesIn(field, value)) moveUnknownNumbers(field.message, inner);
    }
  }
}

/**
 * Adds the unknown closed-enum numbers found in the JSON of a message to the unknown fields of the message decoded from
 * the remaining JSON.
 *
 * @param inAny adds those of a message in a google.protobuf.Any.
 */
export function addUnknownNumbers(
  desc: DescMessage,
  message: Message,
  json: ExactJson,
  inAny: (any: Message, json: { readonly [key: string]: ExactJson }) => void,
): void {
  if (!isObject(json)) return;
  if (desc.typeName === "google.protobuf.Any") {
    inAny(message, json);
    return;
  }
  for (const [key, value] of Object.entries(json)) {
    const field = desc.fields.find(({ jsonName, name }) => jsonName === key || name === key);
    if (field === undefined || value === null) continue;
    const held = heldBy(message, field);
    const visit = (inner: ExactJson, existing: unknown): void => {
      if (field.message !== undefined && isMessage(existing, field.message)) {
        addUnknownNumbers(field.message, existing, inner, inAny);
      }
    };
    if (field.fieldKind === "list" && Array.isArray(value)) {
      keep(message, ...value.filter((item) => isUnknownNumber(field.enum, item)).map(unknownNumber(field)));
      for (const [index, item] of value.entries()) visit(item as ExactJson, (held as unknown[])[index]);
    } else if (field.fieldKind === "map" && isObject(value)) {
      for (const [mapKey, item] of Object.entries(value)) {
        if (isUnknownNumber(field.enum, item)) keep(message, unknownEntry(field, mapKey, item));
        visit(item, (held as Fields)[/^-?0\d/.test(mapKey) ? String(BigInt(mapKey)) : mapKey]);
      }
    } else if (isUnknownNumber(field.enum, value)) {
      keep(message, unknownNumber(field)(value));
    } else {
      visit(value, held);
    }
  }
}

function keep(message: Message, ...fields: UnknownField[]): void {
  if (fields.length > 0) message.$unknown = [...(message.$unknown ?? []), ...fields];
}

function heldBy(message: Message, field: DescField): unknown {
  const fields = message as unknown as Fields;
  if (field.oneof === undefined) return Object.hasOwn(fields, field.localName) ? fields[field.localName] : undefined;
  const held = fields[field.oneof.localName] as { case: string | undefined; value?: unknown };
  return held.case === field.localName ? held.value : undefined;
}

/** False for values that the library represents differently: a Struct as JSON, a wrapper as its value. */
function isMessage(value: unknown, desc: DescMessage): value is Message {
  return typeof value === "object" && value !== null && (value as Message).$typeName === desc.typeName;
}

function messagesIn(field: DescField, value: unknown): Message[] {
  if (field.fieldKind === "list") return value as Message[];
  return field.fieldKind === "map" ? Object.values(value as Record<string, Message>) : [value as Message];
}

const searched = new WeakMap<DescMessage, readonly DescField[]>();

/** The fields of a message that lead to a list or a map of a closed enum. */
function fieldsToSearch(desc: DescMessage): readonly DescField[] {
  const known = searched.get(desc);
  if (known !== undefined) return known;
  const found = desc.fields.filter((field) => isOfMany(field) || (field.message && reaches(field.message, new Set())));
  searched.set(desc, found);
  return found;
}

function reaches(desc: DescMessage, seen: Set<DescMessage>): boolean {
  if (seen.has(desc)) return false;
  seen.add(desc);
  return desc.fields.some((field) => isOfMany(field) || (field.message !== undefined && reaches(field.message, seen)));
}

function isOfMany(field: DescField): boolean {
  return field.enum?.open === false && field.fieldKind !== "enum";
}
