import {
  type DescEnum,
  type DescField,
  getOption,
  hasOption,
  isFieldSet,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import {
  type FieldRules,
  FieldRulesSchema,
  field as fieldRulesOption,
  Ignore,
  MapRulesSchema,
  message as messageRulesOption,
  RepeatedRulesSchema,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { narrow } from "./narrow.ts";
import { type RuleSet, ruleSetOf } from "./rule-set.ts";
import { translateValue } from "./value-rules.ts";

/** The protovalidate rules of a field, translated to JSON Schema. */
export interface RuleSchema {
  /** Narrows the schema of the field (for the parts below, of its items, keys and values). */
  readonly schema: JsonObject;
  readonly items: JsonObject | undefined;
  readonly keys: JsonObject | undefined;
  readonly values: JsonObject | undefined;
  readonly required: boolean;
  /** Sentences for the description: rules that JSON Schema cannot express, or not readably. */
  readonly sentences: readonly string[];
}

const none: RuleSchema = {
  schema: {},
  items: undefined,
  keys: undefined,
  values: undefined,
  required: false,
  sentences: [],
};

/** Translates the rules of a field. Rules without a counterpart become sentences and are never dropped. */
export function rulesOf(field: DescField): RuleSchema {
  const rules = getOption(field, fieldRulesOption);
  const ignore = ignoreOf(field, rules);
  if (!hasOption(field, fieldRulesOption) || ignore === Ignore.ALWAYS) return none;
  const translated = translate(rules, { field, isKey: false });
  const zero = zeroSchema(field);
  const { schema } = translated;
  if (zero === undefined) return translated;
  if (rules.required) return { ...translated, schema: narrow(schema, without(zero)) };
  return ignore === Ignore.IF_ZERO_VALUE ? { ...translated, schema: orZero(schema, zero) } : translated;
}

/** The members of a message's own oneof rule are validated only if set. */
function ignoreOf(field: DescField, rules: FieldRules): Ignore {
  if (isFieldSet(rules, FieldRulesSchema.field.ignore)) return rules.ignore;
  const { oneof } = getOption(field.parent, messageRulesOption);
  return oneof.some(({ fields }) => fields.includes(field.name)) ? Ignore.IF_ZERO_VALUE : rules.ignore;
}

/** The value (a list, a map) that counts as unset; undefined for a field with presence. */
export function zeroSchema(field: DescField): JsonObject | undefined {
  if (field.fieldKind === "list") return { maxItems: 0 };
  if (field.fieldKind === "map") return { maxProperties: 0 };
  if (field.presence !== FeatureSet_FieldPresence.IMPLICIT) return undefined;
  return { const: zeroOf(field.enum, field.scalar) };
}

function zeroOf(type: DescEnum | undefined, scalar: ScalarType | undefined): JsonValue {
  if (type !== undefined) return type.values[0]?.jsonName ?? "";
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return "";
    case ScalarType.BOOL:
      return false;
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return "0";
    default:
      return 0;
  }
}

/** Anything but the zero value. */
function without(zero: JsonObject): JsonObject {
  if ("maxItems" in zero) return { minItems: 1 };
  if ("maxProperties" in zero) return { minProperties: 1 };
  return zero["const"] === "" ? { minLength: 1 } : { not: zero };
}

function orZero(schema: JsonObject, zero: JsonObject): JsonObject {
  const { examples, ...rest } = schema;
  if (Object.keys(rest).length === 0) return schema;
  return { ...(examples === undefined ? {} : { examples }), anyOf: [zero, rest] };
}

interface Place {
  readonly field: DescField;
  readonly isKey: boolean;
}

function translate(rules: FieldRules, place: Place): RuleSchema {
  const base: RuleSchema = {
    ...none,
    required: rules.required,
    sentences: [
      ...rules.cel.map((rule) => rule.message || rule.expression),
      ...rules.celExpression,
      ...((rules.type.value?.$unknown?.length ?? 0) > 0 ? ["More is checked by rules of this API's own."] : []),
    ],
  };
  const { type } = rules;
  switch (type.case) {
    case undefined:
      return base;
    case "repeated": {
      const set = ruleSetOf(type.value, RepeatedRulesSchema.fields);
      return {
        ...base,
        schema: counted(set, { min_items: "minItems", max_items: "maxItems", unique: "uniqueItems" }),
        items: type.value.items && part(type.value.items, { ...place, isKey: false }),
      };
    }
    case "map": {
      const set = ruleSetOf(type.value, MapRulesSchema.fields);
      return {
        ...base,
        schema: counted(set, { min_pairs: "minProperties", max_pairs: "maxProperties" }),
        keys: type.value.keys && part(type.value.keys, { ...place, isKey: true }),
        values: type.value.values && part(type.value.values, { ...place, isKey: false }),
      };
    }
    default: {
      const inner = FieldRulesSchema.fields.find((field) => field.localName === type.case)?.message;
      const type_ = place.isKey ? undefined : place.field.enum;
      const set = ruleSetOf(type.value, inner?.fields ?? []);
      const { schema, sentences } = translateValue({ kind: type.case, enum: type_, isKey: place.isKey }, set);
      return { ...base, schema, sentences: [...base.sentences, ...sentences] };
    }
  }
}

/** The rules of items, keys or values: one schema, with the sentences in its description. */
function part(rules: FieldRules, place: Place): JsonObject {
  if (rules.ignore === Ignore.ALWAYS) return {};
  const { schema, sentences } = translate(rules, place);
  const { field, isKey } = place;
  const zero = isKey && field.fieldKind === "map" ? keyZero(field.mapKey) : zeroOf(field.enum, field.scalar);
  const isMessage = !isKey && field.message !== undefined;
  const whole = rules.ignore === Ignore.IF_ZERO_VALUE && !isMessage ? orZero(schema, { const: zero }) : schema;
  return sentences.length === 0 ? whole : { ...whole, description: sentences.join(" ") };
}

function keyZero(type: ScalarType): JsonValue {
  return String(zeroOf(undefined, type));
}

function counted(set: RuleSet, names: Readonly<Record<string, string>>): JsonObject {
  const schema: JsonObject = {};
  for (const [rule, keyword] of Object.entries(names)) {
    const value = set.get(rule);
    if (value !== undefined) schema[keyword] = typeof value === "bigint" ? Number(value) : (value as boolean);
  }
  return schema;
}

/** The rules of a whole message: keywords for `allOf`, and sentences. */
export function messageRulesOf(message: DescField["parent"]): { schemas: JsonObject[]; sentences: string[] } {
  const rules = getOption(message, messageRulesOption);
  const schemas = rules.oneof.map(({ fields, required }): JsonObject => {
    const members = message.fields.filter((field) => fields.includes(field.name)).map(whereSet);
    return { oneOf: required ? members : [...members, { not: { anyOf: members } }] };
  });
  return { schemas, sentences: [...rules.cel.map((rule) => rule.message || rule.expression), ...rules.celExpression] };
}

/** Schema of the messages in which the field is set. */
export function whereSet(field: DescField): JsonObject {
  const zero = zeroSchema(field);
  return {
    properties: { [field.jsonName]: zero === undefined ? {} : without(zero) },
    required: [field.jsonName],
  };
}
