import { type DescEnum, isMessage, type JsonValue, type Message, toJson } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import { DurationSchema, FieldMaskSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";

/** A value in a rule. */
export type RuleValue = string | number | bigint | boolean | Uint8Array | Message;

/** A rule's value in the JSON form of the value it applies to; an enum number may have several names. */
export function ruleJson(
  place: { readonly kind: string; readonly enum: DescEnum | undefined; readonly isKey: boolean },
  value: RuleValue,
): JsonValue[] {
  const number = Number(value);
  const names = place.enum?.values.filter((member) => member.number === number).map((member) => member.jsonName) ?? [];
  if (names.length > 0) return names;
  if (value instanceof Uint8Array) return [base64Encode(value)];
  if (typeof value === "number") return [place.isKey || !Number.isFinite(value) ? String(value) : value];
  if (typeof value === "string") return [value];
  if (typeof value === "boolean") return [place.isKey ? String(value) : value];
  if (typeof value === "bigint") return [value.toString()];
  for (const schema of [DurationSchema, TimestampSchema, FieldMaskSchema]) {
    if (isMessage(value, schema)) return [toJson(schema, value)];
  }
  return [];
}
