import { readFileSync } from "node:fs";
import { create, type DescField, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import {
  FieldRulesSchema,
  file_buf_validate_validate,
  Ignore,
  type MessageRulesSchema,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { describe, expect, test } from "@jest/globals";
import { type RuledField, ruledMessage } from "../../test/support/ruled-message.ts";
import { createTypeNames } from "../names.ts";
import { createSchemas } from "../schemas.ts";

type FieldRulesInit = MessageInitShape<typeof FieldRulesSchema>;
type MessageRulesInit = MessageInitShape<typeof MessageRulesSchema>;

/** The rule that `strict` depends on. */
const headers = { wellKnown: { case: "wellKnownRegex", value: 1 } };

/** Implied by every schema: enums are closed in a document. */
const implied = ["EnumRules.defined_only"];

/** Every field of protovalidate's rule messages, except those of FieldRules that only select the type. */
const standardRules = file_buf_validate_validate.messages
  .filter(({ name }) => name.endsWith("Rules"))
  .flatMap((message) => message.fields.filter((field) => field.oneof?.name !== "type"));

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

/** The rules that the README lists as having no keyword: `` `StringRules.pattern` `` in the table of that heading. */
const listed = [
  ...((readme.split("### Rules without a keyword")[1] ?? "").split("\n## ")[0]?.matchAll(/`(\w+Rules\.\w+)`/g) ?? []),
].map(([, rule]) => rule ?? "");

describe("protovalidate's standard rules in JSON Schema", () => {
  const mapped = standardRules.filter((rule) => hasKeyword(rule) || implied.includes(nameOf(rule))).map(nameOf);
  const unmapped = standardRules.map(nameOf).filter((rule) => !mapped.includes(rule));

  test("should each have a keyword, or be listed in the README", () => {
    expect(unmapped.sort()).toEqual(listed.sort());
  });

  test("should have a keyword in at least nine of ten cases", () => {
    expect(standardRules.length).toBeGreaterThan(190);
    expect(mapped.length / standardRules.length).toBeGreaterThanOrEqual(0.9);
  });

  test("should be counted correctly in the README", () => {
    const [, counted] = /(\d+ of \d+) standard rules/.exec(readme) ?? [];
    expect(counted).toBe(`${mapped.length} of ${standardRules.length}`);
  });

  test.each(unmapped)("should describe %s in a sentence", (name) => {
    const rule = standardRules.find((candidate) => nameOf(candidate) === name);
    const [without, with_] = rule === undefined ? [] : schemasOf(rule);
    expect(with_).not.toEqual(without);
  });
});

function nameOf(rule: DescField): string {
  return `${rule.parent.name}.${rule.name}`;
}

/** Whether the rule changes the schema, apart from descriptions. */
function hasKeyword(rule: DescField): boolean {
  const [without, with_] = schemasOf(rule);
  return JSON.stringify(withoutWords(without)) !== JSON.stringify(withoutWords(with_));
}

function withoutWords(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, inner) => (key === "description" ? undefined : inner)));
}

/** The schema of a message without and with the rule. */
function schemasOf(rule: DescField): [JsonObject, JsonObject] {
  const [without, with_] = specsOf(rule);
  return [schemaOf(without), schemaOf(with_)];
}

function schemaOf(spec: RuledField): JsonObject {
  const message = ruledMessage(spec);
  const schemas = createSchemas(createTypeNames([message.file]));
  schemas.reference(message);
  return schemas.components();
}

function specsOf(rule: DescField): [RuledField, RuledField] {
  const value = sampleOf(rule);
  switch (rule.parent.name) {
    case "FieldRules": {
      const base: FieldRulesInit = { type: { case: "string", value: { minLen: 3n } } };
      return [
        { kind: "string", rules: base },
        { kind: "string", rules: { ...base, [rule.localName]: value } as FieldRulesInit },
      ];
    }
    case "MessageRules":
      return [{ kind: "string" }, { kind: "string", messageRules: { [rule.localName]: value } as MessageRulesInit }];
    case "OneofRules":
      return [
        { kind: "string", shape: "oneof" },
        { kind: "string", shape: "oneof", oneofRequired: true },
      ];
    case "PredefinedRules": {
      // A custom rule, without its definition in the registry.
      const rules = create(FieldRulesSchema, { type: { case: "string", value: {} } });
      if (rules.type.value !== undefined)
        rules.type.value.$unknown = [{ no: 1161, wireType: 0, data: Uint8Array.of(1) }];
      return [{ kind: "string" }, { kind: "string", rules }];
    }
    case "RepeatedRules":
      return [
        { kind: "string", shape: "list" },
        { kind: "string", shape: "list", rules: typed("repeated", rule, value) },
      ];
    case "MapRules":
      return [
        { kind: "string", shape: "map" },
        { kind: "string", shape: "map", rules: typed("map", rule, value) },
      ];
    default: {
      const kind = FieldRulesSchema.fields.find(({ message }) => message === rule.parent)?.localName ?? "";
      const base: RuledField = rule.name === "strict" ? { kind, rules: typed(kind, rule, true, headers) } : { kind };
      return [base, { kind, rules: typed(kind, rule, value, rule.name === "strict" ? headers : {}) }];
    }
  }
}

function typed(kind: string, rule: DescField, value: unknown, more: object = {}): FieldRulesInit {
  const sample =
    rule.oneof === undefined
      ? { [rule.localName]: value }
      : { [rule.oneof.localName]: { case: rule.localName, value } };
  return { type: { case: kind, value: { ...more, ...sample } } } as FieldRulesInit;
}

/** A valid value of the rule. */
function sampleOf(rule: DescField): unknown {
  if (rule.name === "strict") return false;
  if (rule.name === "ignore") return Ignore.ALWAYS;
  const one = sampleOfType(rule);
  return rule.fieldKind === "list" ? [one] : one;
}

function sampleOfType({ message, enum: type, scalar, name }: DescField): unknown {
  if (type !== undefined) return 1;
  switch (message?.name) {
    case undefined:
      break;
    case "FieldRules":
      return { type: { case: "string", value: { minLen: 1n } } };
    case "MessageOneofRule":
      return { fields: ["value", "other"] };
    case "Rule":
      return { id: "own", message: "Must be right.", expression: "true" };
    case "FieldMask":
      return { paths: ["a"] };
    default:
      return { seconds: 1n };
  }
  const samples: Readonly<Record<number, unknown>> = {
    8: true,
    9: name === "cel_expression" ? "true" : "a",
    12: Uint8Array.of(1),
  };
  const is64 = [3, 4, 6, 16, 18].includes(scalar ?? 0);
  return samples[scalar ?? 0] ?? (is64 ? 1n : 1);
}
