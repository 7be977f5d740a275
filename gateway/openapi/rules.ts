import {
  type DescField,
  getOption,
  hasOption,
  isFieldSet,
  isMessage,
  type JsonObject,
  type JsonValue,
  type Message,
} from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema, timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type FieldRules,
  FieldRulesSchema,
  field as fieldRulesOption,
  Ignore,
  MapRulesSchema,
  RepeatedRulesSchema,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

/** What the protovalidate rules of a field come to in JSON Schema. */
export interface RuleSchema {
  /** To be merged into the schema of the field (of its items, for the parts below). */
  readonly schema: JsonObject;
  readonly items: JsonObject | undefined;
  readonly keys: JsonObject | undefined;
  readonly values: JsonObject | undefined;
  readonly required: boolean;
  /** Rules that JSON Schema cannot say, as sentences for the description. */
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

/** Translates the rules of a field. Rules without a counterpart become sentences, never silence. */
export function rulesOf(field: DescField): RuleSchema {
  if (!hasOption(field, fieldRulesOption)) return none;
  const rules = getOption(field, fieldRulesOption);
  if (rules.ignore === Ignore.ALWAYS) return none;
  return translate(rules);
}

function translate(rules: FieldRules): RuleSchema {
  const sentences = [...rules.cel.map((rule) => rule.message || rule.expression), ...rules.celExpression];
  const base = { ...none, required: rules.required, sentences };
  const { type } = rules;
  switch (type.case) {
    case undefined:
      return base;
    case "repeated": {
      const set = setFields(RepeatedRulesSchema.fields, type.value);
      const items = type.value.items && translate(type.value.items);
      return {
        ...base,
        schema: pick(set, { min_items: "minItems", max_items: "maxItems", unique: "uniqueItems" }),
        items: items && withSentences(items),
      };
    }
    case "map": {
      const set = setFields(MapRulesSchema.fields, type.value);
      const keys = type.value.keys && translate(type.value.keys);
      const values = type.value.values && translate(type.value.values);
      return {
        ...base,
        schema: pick(set, { min_pairs: "minProperties", max_pairs: "maxProperties" }),
        keys: keys && withSentences(keys),
        values: values && withSentences(values),
      };
    }
    default: {
      const inner = FieldRulesSchema.fields.find((each) => each.localName === type.case)?.message;
      if (inner === undefined) return base;
      const translated = translateScalar(type.case, setFields(inner.fields, type.value));
      const zeroIsFine = rules.ignore === Ignore.IF_ZERO_VALUE && type.case === "string";
      return {
        ...base,
        schema: zeroIsFine ? orEmpty(translated.schema) : translated.schema,
        sentences: [...sentences, ...translated.sentences],
      };
    }
  }
}

type RuleSet = ReadonlyMap<string, unknown>;

function setFields(fields: readonly DescField[], message: Message): RuleSet {
  const set = new Map<string, unknown>();
  for (const field of fields) {
    if (!isFieldSet(message, field)) continue;
    const holder = message as unknown as Record<string, unknown>;
    const value = field.oneof ? (holder[field.oneof.localName] as { value: unknown }).value : holder[field.localName];
    set.set(field.name, value);
  }
  return set;
}

function translateScalar(kind: string, rules: RuleSet): { schema: JsonObject; sentences: string[] } {
  const schema: JsonObject = {};
  const sentences: string[] = [];
  const is64 = /64$/.test(kind);
  const isNumber = !is64 && /^(float|double|.*32)$/.test(kind);
  for (const [name, value] of rules) {
    const json = ruleJson(value);
    if (name === "example") schema["examples"] = json;
    else if (name === "const") schema["const"] = json;
    else if (name === "in" && kind !== "any") schema["enum"] = json;
    else if (name === "not_in" && kind !== "any" && kind !== "field_mask") schema["not"] = { enum: json };
    else if (isNumber && name in bounds) schema[bounds[name] ?? ""] = json;
    else if (kind === "string" && translateString(schema, name, value)) continue;
    else if (kind === "bytes" && translateBytes(schema, name, value)) continue;
    else if (name === "defined_only" || name === "finite" || name === "strict") continue;
    else sentences.push(sentence(name, json));
  }
  return { schema, sentences };
}

const bounds: Readonly<Record<string, string>> = {
  gt: "exclusiveMinimum",
  gte: "minimum",
  lt: "exclusiveMaximum",
  lte: "maximum",
};

const formats: Readonly<Record<string, string>> = {
  email: "email",
  hostname: "hostname",
  ipv4: "ipv4",
  ipv6: "ipv6",
  uri: "uri",
  uri_ref: "uri-reference",
  uuid: "uuid",
};

const patterns: Readonly<Record<string, string>> = {
  tuuid: "^[0-9a-fA-F]{32}$",
  ulid: "^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$",
  host_and_port: "^.+:\\d{1,5}$",
  ip_with_prefixlen: "^[0-9a-fA-F.:]+/\\d{1,3}$",
  ipv4_with_prefixlen: "^[0-9.]+/\\d{1,2}$",
  ipv6_with_prefixlen: "^[0-9a-fA-F.:]+/\\d{1,3}$",
  ip_prefix: "^[0-9a-fA-F.:]+/\\d{1,3}$",
  ipv4_prefix: "^[0-9.]+/\\d{1,2}$",
  ipv6_prefix: "^[0-9a-fA-F.:]+/\\d{1,3}$",
  protobuf_fqn: "^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*)*$",
  protobuf_dot_fqn: "^\\.[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*)*$",
};

function translateString(schema: JsonObject, name: string, value: unknown): boolean {
  switch (name) {
    case "len":
      schema["minLength"] = Number(value);
      schema["maxLength"] = Number(value);
      return true;
    case "min_len":
      schema["minLength"] = Number(value);
      return true;
    case "max_len":
    case "max_bytes":
      schema["maxLength"] = Math.min(Number(schema["maxLength"] ?? Number.POSITIVE_INFINITY), Number(value));
      return true;
    case "min_bytes":
      schema["minLength"] ??= Math.ceil(Number(value) / 4);
      return true;
    case "len_bytes":
      schema["maxLength"] = Number(value);
      schema["minLength"] = Math.ceil(Number(value) / 4);
      return true;
    case "pattern":
      addPattern(schema, String(value));
      return true;
    case "prefix":
      addPattern(schema, `^${escapePattern(String(value))}`);
      return true;
    case "suffix":
      addPattern(schema, `${escapePattern(String(value))}$`);
      return true;
    case "contains":
      addPattern(schema, escapePattern(String(value)));
      return true;
    case "not_contains":
      schema["not"] = { pattern: escapePattern(String(value)) };
      return true;
    case "ip":
      schema["anyOf"] = [{ format: "ipv4" }, { format: "ipv6" }];
      return true;
    case "address":
      schema["anyOf"] = [{ format: "hostname" }, { format: "ipv4" }, { format: "ipv6" }];
      return true;
    case "well_known_regex":
      addPattern(schema, "^[^\\u0000\\r\\n]*$");
      return true;
    default:
      if (formats[name] !== undefined) schema["format"] = formats[name];
      else if (patterns[name] !== undefined) addPattern(schema, patterns[name]);
      else return false;
      return value !== false;
  }
}

/** Bytes are base64 text in JSON: three of them are four characters, padding may be left out. */
function translateBytes(schema: JsonObject, name: string, value: unknown): boolean {
  const least = Math.ceil((Number(value) * 4) / 3);
  const most = Math.ceil(Number(value) / 3) * 4;
  switch (name) {
    case "len":
      schema["minLength"] = least;
      schema["maxLength"] = most;
      return true;
    case "min_len":
      schema["minLength"] = least;
      return true;
    case "max_len":
      schema["maxLength"] = most;
      return true;
    default:
      return false;
  }
}

function addPattern(schema: JsonObject, pattern: string): void {
  if (schema["pattern"] === undefined) schema["pattern"] = pattern;
  else schema["allOf"] = [...((schema["allOf"] as JsonValue[] | undefined) ?? []), { pattern }];
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

function orEmpty(schema: JsonObject): JsonObject {
  const { examples, ...rest } = schema;
  if (Object.keys(rest).length === 0) return schema;
  return { ...(examples === undefined ? {} : { examples }), anyOf: [{ const: "" }, rest] };
}

function withSentences(rule: RuleSchema): JsonObject {
  if (rule.sentences.length === 0) return rule.schema;
  return { ...rule.schema, description: rule.sentences.join(" ") };
}

function pick(set: RuleSet, names: Readonly<Record<string, string>>): JsonObject {
  const schema: JsonObject = {};
  for (const [rule, keyword] of Object.entries(names)) {
    const value = set.get(rule);
    if (value !== undefined) schema[keyword] = typeof value === "bigint" ? Number(value) : (value as boolean);
  }
  return schema;
}

function ruleJson(value: unknown): JsonValue {
  if (Array.isArray(value)) return value.map((each) => ruleJson(each));
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (typeof value === "object" && value !== null) {
    if (isMessage(value, DurationSchema)) return `${Number(value.seconds) + value.nanos / 1e9}s`;
    if (isMessage(value, TimestampSchema)) return timestampDate(value).toISOString();
  }
  if (typeof value === "object" && value !== null) return {};
  return value as JsonValue;
}

const words: Readonly<Record<string, string>> = {
  gt: "Must be greater than",
  gte: "Must be at least",
  lt: "Must be less than",
  lte: "Must be at most",
  lt_now: "Must be in the past",
  gt_now: "Must be in the future",
  within: "Must be, from now, within",
  in: "Must be one of",
  not_in: "Must be none of",
};

function sentence(name: string, value: JsonValue): string {
  const word = words[name] ?? `Rule \`${name}\`:`;
  if (value === true) return `${word}.`;
  return `${word} ${Array.isArray(value) ? value.join(", ") : typeof value === "object" ? JSON.stringify(value) : value}.`;
}
