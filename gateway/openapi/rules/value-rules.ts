import type { DescEnum, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { base64Pattern } from "./base64-pattern.ts";
import { escapePattern } from "./ecma-pattern.ts";
import { narrow } from "./narrow.ts";
import { translateOrdered } from "./ordered-rules.ts";
import { type RuleValue, ruleJson } from "./rule-json.ts";
import type { RuleSet, Translation } from "./rule-set.ts";
import { translateString } from "./string-rules.ts";

/** The kind and place of a value with rules. */
export interface ValuePlace {
  /** The kind of rules: `int32`, `string`, `timestamp`, … */
  readonly kind: string;
  /** The type of an enum's values. */
  readonly enum: DescEnum | undefined;
  /** True for a map key, which is text in JSON whatever its type. */
  readonly isKey: boolean;
}

/** Translates the rules of a single value. */
export function translateValue(place: ValuePlace, rules: RuleSet): Translation {
  const { kind, isKey } = place;
  const ofKind = translateKind(place, rules);
  if (kind === "any") return ofKind;
  let { schema } = ofKind;
  const json = (value: unknown): JsonValue[] =>
    (Array.isArray(value) ? value : [value]).flatMap((each: RuleValue) => ruleJson(place, each));
  for (const [name, value] of rules) {
    if (name === "example") schema = narrow(schema, { examples: json(value) });
    else if (isOrdered(kind) || (kind === "fieldMask" && name !== "const")) continue;
    else if (name === "const" || name === "in") schema = narrow(schema, oneOf(json(value)));
    else if (name === "not_in") schema = narrow(schema, { not: { enum: json(value) } });
  }
  return { schema: isKey ? narrow({}, schema) : schema, sentences: ofKind.sentences };
}

function oneOf(values: JsonValue[]): JsonObject {
  const [first] = values;
  return values.length === 1 && first !== undefined ? { const: first } : { enum: values };
}

/** True for kinds whose values have more than one text form. */
function isOrdered(kind: string): boolean {
  return kind === "duration" || kind === "timestamp";
}

function translateKind({ kind, isKey }: ValuePlace, rules: RuleSet): Translation {
  switch (kind) {
    case "string":
      return translateString(rules);
    case "bytes":
      return translateBytes(rules);
    case "any":
      return plain(anyKeywords(rules));
    case "fieldMask":
      return plain(fieldMaskKeywords(rules));
    case "bool":
    case "enum":
      return plain({});
    case "float":
    case "double":
      return plain(narrow(numberBounds(rules), specialNumbers(rules)));
    default:
      return isKey || /64$/.test(kind) || isOrdered(kind) ? translateOrdered(kind, rules) : plain(numberBounds(rules));
  }
}

function plain(schema: JsonObject): Translation {
  return { schema, sentences: [] };
}

const bounds: Readonly<Record<string, string>> = {
  gt: "exclusiveMinimum",
  gte: "minimum",
  lt: "exclusiveMaximum",
  lte: "maximum",
};

/** If the upper bound is below the lower one, protovalidate accepts the values outside the two. */
function numberBounds(rules: RuleSet): JsonObject {
  const set = [...rules].filter(([name, value]) => name in bounds && Number.isFinite(value));
  const keywords = set.map(([name, value]): JsonObject => ({ [bounds[name] ?? ""]: value as number }));
  const upper = rules.get("lt") ?? rules.get("lte");
  const lower = rules.get("gt") ?? rules.get("gte");
  const isOutside = upper !== undefined && lower !== undefined && Number(upper) < Number(lower);
  if (isOutside && keywords.length > 0) return { anyOf: keywords };
  const isNever = lower === Number.POSITIVE_INFINITY || upper === Number.NEGATIVE_INFINITY;
  return isNever ? { not: { type: "number" } } : Object.assign({}, ...keywords);
}

const special: readonly number[] = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

/** JSON writes non-finite numbers as text, to which numeric keywords do not apply. */
function specialNumbers(rules: RuleSet): JsonObject {
  const refused = special.filter((value) => !takes(rules, value)).map(String);
  if (refused.length === 0) return {};
  return refused.length === special.length ? { type: "number" } : { not: { enum: refused } };
}

function takes(rules: RuleSet, value: number): boolean {
  const numbers = (name: string): readonly number[] | undefined => rules.get(name) as number[] | undefined;
  const bound = (name: string): number | undefined => rules.get(name) as number | undefined;
  if (rules.get("finite") === true || (rules.has("const") && rules.get("const") !== value)) return false;
  // NaN equals nothing, so it is in no list either.
  if (numbers("in")?.every((item) => item !== value) || numbers("not_in")?.some((item) => item === value)) return false;
  const [gt, gte, lt, lte] = [bound("gt"), bound("gte"), bound("lt"), bound("lte")];
  const above = gt !== undefined ? value > gt : gte !== undefined ? value >= gte : undefined;
  const below = lt !== undefined ? value < lt : lte !== undefined ? value <= lte : undefined;
  if (above === undefined || below === undefined) return above ?? below ?? true;
  return Number(lt ?? lte) < Number(gt ?? gte) ? above || below : above && below;
}

/** Bytes are base64 text in JSON: three bytes are four characters, and padding may be omitted. */
function translateBytes(rules: RuleSet): Translation {
  let schema: JsonObject = {};
  const sentences: string[] = [];
  for (const [name, value] of rules) {
    const least = Math.ceil((Number(value) * 4) / 3);
    const most = Math.ceil(Number(value) / 3) * 4;
    const keywords: Readonly<Record<string, () => JsonObject>> = {
      len: () => ({ minLength: least, maxLength: most }),
      min_len: () => ({ minLength: least }),
      max_len: () => ({ maxLength: most }),
      prefix: () => ({ pattern: base64Pattern(value as Uint8Array, "start") }),
      suffix: () => ({ pattern: base64Pattern(value as Uint8Array, "end") }),
      contains: () => ({ pattern: base64Pattern(value as Uint8Array, "middle") }),
      ip: () => ({ pattern: "^(?:[^=]{6}|[^=]{22})=*$" }),
      ipv4: () => ({ pattern: "^[^=]{6}=*$" }),
      ipv6: () => ({ pattern: "^[^=]{22}=*$" }),
      uuid: () => ({ pattern: "^[^=]{22}=*$" }),
    };
    if (name === "pattern") sentences.push(`As text, must match the RE2 pattern \`${value}\`.`);
    else if (value !== false) schema = narrow(schema, keywords[name]?.() ?? {});
  }
  return { schema, sentences };
}

function anyKeywords(rules: RuleSet): JsonObject {
  let schema: JsonObject = {};
  const type = (keywords: JsonObject): JsonObject => ({ properties: { "@type": keywords } });
  for (const [name, value] of rules) {
    if (name === "in") schema = narrow(schema, type({ enum: value as string[] }));
    if (name === "not_in") schema = narrow(schema, type({ not: { enum: value as string[] } }));
  }
  return schema;
}

/** The paths of a mask are comma-separated; a listed path includes those below it. */
function fieldMaskKeywords(rules: RuleSet): JsonObject {
  let schema: JsonObject = {};
  const oneOfThem = (paths: unknown): string => `(?:${(paths as string[]).map(jsonPath).map(escapePattern).join("|")})`;
  for (const [name, value] of rules) {
    if (name === "in") {
      const path = `${oneOfThem(value)}(?:\\.[^,]*)?`;
      schema = narrow(schema, { pattern: `^(?:${path}(?:,${path})*)?$` });
    }
    if (name === "not_in") schema = narrow(schema, { not: { pattern: `(?:^|,)${oneOfThem(value)}(?:[.,]|$)` } });
  }
  return schema;
}

function jsonPath(path: string): string {
  return path.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());
}
