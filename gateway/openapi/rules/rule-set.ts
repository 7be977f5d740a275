import { type DescField, isFieldSet, type JsonObject, type Message } from "@bufbuild/protobuf";

/** The rules of one type that are set, by proto name. */
export type RuleSet = ReadonlyMap<string, unknown>;

/** JSON Schema keywords, and sentences for what they cannot express or express badly. */
export interface Translation {
  readonly schema: JsonObject;
  readonly sentences: readonly string[];
}

/** Reads the rules that are set, in the order of the message. */
export function ruleSetOf(message: Message, fields: readonly DescField[]): RuleSet {
  const set = new Map<string, unknown>();
  for (const field of fields) {
    if (!isFieldSet(message, field)) continue;
    const holder = message as unknown as Record<string, unknown>;
    const value = field.oneof ? (holder[field.oneof.localName] as { value: unknown }).value : holder[field.localName];
    set.set(field.name, value);
  }
  return set;
}
