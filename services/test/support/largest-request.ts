import { type DescField, type DescMessage, getOption, ScalarType } from "@bufbuild/protobuf";
import { type FieldRules, field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { FieldBehavior, field_behavior } from "../../../gen/google/api/field_behavior_pb.js";

type Init = Record<string, unknown>;

/** Options for requests as large as the contract's rules allow. */
export interface LargestOptions {
  /**
   * Values that rules do not describe, by message type, by field name, or by message and field name. For lists they are
   * the elements. `index` is the position in the nearest list, for values that must be unique there.
   */
  readonly values: Readonly<Record<string, (index: number) => unknown>>;
  /**
   * Path of a field that exceeds its limit by one; other lists have one element. Paths are those of `Largest.limited`.
   */
  readonly exceed?: string;
}

export interface Largest {
  readonly init: Init;
  /** Paths of the fields with an upper limit, by proto names. */
  readonly limited: readonly string[];
}

/**
 * Builds a request whose lists, maps, texts and numbers are as large as the rules allow. Output-only fields are
 * omitted.
 */
export function largestRequest(schema: DescMessage, { values, exceed }: LargestOptions): Largest {
  const limited = new Set<string>();

  const limit = (path: string, most: number | bigint | undefined): bigint | undefined => {
    if (most === undefined) {
      return undefined;
    }
    limited.add(path);
    return BigInt(most) + (path === exceed ? 1n : 0n);
  };

  const text = (rules: FieldRules | undefined, path: string, index: number): string => {
    const { pattern = "", maxLen } = rules?.type.case === "string" ? rules.type.value : {};
    if (pattern !== "") {
      const most = largestMatch(pattern);
      if (most.isLimited) {
        limited.add(path);
      }
      return path === exceed ? `${most.text}x` : endingWith(most.text, index);
    }
    // Two bytes each in UTF-8.
    return endingWith("ü".repeat(Number(limit(path, hasLimit(rules, "maxLen") ? maxLen : undefined) ?? 8)), index);
  };

  const number = (rules: FieldRules | undefined, path: string): bigint => {
    const kind = rules?.type.case;
    const less = kind === "int32" || kind === "int64" ? rules?.type.value : undefined;
    const { lessThan } = (less ?? {}) as { lessThan?: { case?: string; value?: number | bigint } };
    return limit(path, lessThan?.case === "lte" ? lessThan.value : undefined) ?? 1n;
  };

  const scalar = (
    type: ScalarType | undefined,
    rules: FieldRules | undefined,
    path: string,
    index: number,
  ): unknown => {
    switch (type) {
      case ScalarType.STRING:
        return text(rules, path, index);
      case ScalarType.BOOL:
        return false;
      case ScalarType.BYTES:
        return new Uint8Array(8);
      case ScalarType.INT64:
        return number(rules, path);
      default:
        return Number(number(rules, path));
    }
  };

  const fieldValue = (field: DescField, path: string, index: number): unknown => {
    const given = values[`${field.parent.name}.${field.name}`] ?? values[field.name];
    if (given !== undefined && path !== exceed && field.fieldKind !== "list") {
      note(field, path);
      return given(index);
    }
    const rules = getOption(field, fieldRules);
    switch (field.fieldKind) {
      case "scalar":
        return scalar(field.scalar, rules, path, index);
      case "enum":
        return field.enum.values[1]?.number;
      case "message":
        return messageOf(field.message, path, index);
      case "list": {
        const { maxItems, items } = rules?.type.case === "repeated" ? rules.type.value : {};
        const count = countOf(limit(path, hasLimit(rules, "maxItems") ? maxItems : undefined), path);
        return Array.from({ length: count }, (_, at) =>
          field.message === undefined
            ? (given?.(at) ?? scalar(field.scalar, items, `${path}[]`, at))
            : messageOf(field.message, path, at),
        );
      }
      case "map": {
        const { maxPairs, keys, values: of } = rules?.type.case === "map" ? rules.type.value : {};
        const count = countOf(limit(path, hasLimit(rules, "maxPairs") ? maxPairs : undefined), path);
        const entries = Array.from({ length: count }, (_, at) => [
          scalar(ScalarType.STRING, keys, `${path}{}`, at),
          scalar(field.scalar, of, `${path}:`, at),
        ]);
        return Object.fromEntries(entries);
      }
      default:
        return field satisfies never;
    }
  };

  /** Fields with given values count too, if the largest value is among them. */
  const note = (field: DescField, path: string) => {
    const rules = getOption(field, fieldRules);
    if (["maxLen", "maxItems", "maxPairs"].some((name) => hasLimit(rules, name))) {
      limited.add(path);
    }
  };

  const countOf = (most: bigint | undefined, path: string): number =>
    most === undefined || (exceed !== undefined && path !== exceed) ? 1 : Number(most);

  const messageOf = (message: DescMessage, path: string, index: number): unknown => {
    const given = values[message.typeName];
    if (given !== undefined) {
      return given(index);
    }
    const init: Init = {};
    for (const field of message.fields) {
      const behaviors = getOption(field, field_behavior);
      const isServers =
        [FieldBehavior.OUTPUT_ONLY, FieldBehavior.IDENTIFIER].some((it) => behaviors.includes(it)) &&
        values[`${message.name}.${field.name}`] === undefined;
      const isChosen = field.oneof === undefined || field.oneof.fields[0] === field;
      if (!isServers && isChosen) {
        init[field.localName] = fieldValue(field, path === "" ? field.name : `${path}.${field.name}`, index);
      }
    }
    return init;
  };

  const init = messageOf(schema, "", 0) as Init;
  return { init, limited: [...limited] };
}

/** Whether a rule is set; unset ones read as zero. */
function hasLimit(rules: FieldRules | undefined, name: string): boolean {
  const value = (rules?.type.value as Record<string, unknown> | undefined)?.[name];
  return typeof value === "bigint" && value > 0n;
}

function endingWith(text: string, index: number): string {
  return index === 0 ? text : `${text.slice(0, -String(index).length)}${index}`;
}

const parts = /\\(.)|\[([^\]]+)\]|([^\\[{}+?()|^$])/g;

/**
 * The longest text that a pattern of the contract matches: literals and classes with `{m,n}` or `+`, and groups that may
 * be missing. What has no upper limit is taken twice.
 */
function largestMatch(pattern: string): { text: string; isLimited: boolean } {
  const flat = pattern.replace(/^\^|\$$/g, "").replace(/\((?:[^()|]*\|)?([^()]*)\)\??/g, "$1");
  let text = "";
  let isLimited = false;
  for (const match of flat.matchAll(new RegExp(`(?:${parts.source})(?:\\{(\\d+)(?:,(\\d+))?\\}|(\\+))?`, "g"))) {
    const [, escaped, charClass, literal, least, most, plus] = match;
    const character = escaped ?? literal ?? (charClass?.startsWith("^") ? "x" : (charClass?.[0] ?? ""));
    isLimited ||= most !== undefined;
    text += character.repeat(Number(most ?? least ?? (plus === undefined ? 1 : 2)));
  }
  return { text, isLimited };
}
