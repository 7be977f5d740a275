import { create, type DescMessage, type JsonObject, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import {
  type FieldRules,
  type FieldRulesSchema,
  Ignore,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { describe, expect, test } from "@jest/globals";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import fc from "fast-check";
import { rulesAndValues } from "../../test/support/random-rules.ts";
import { type RuledField, ruledMessage, ruledRegistry, valueKinds } from "../../test/support/ruled-message.ts";
import { createTypeNames } from "../names.ts";
import { createSchemas } from "../schemas.ts";

type FieldRulesInit = Exclude<MessageInitShape<typeof FieldRulesSchema>, FieldRules>;

/** Rules whose keywords accept more than the rules do: the README describes how. */
const wider = new Set([
  ...["lenBytes", "minBytes", "maxBytes", "uri", "uriRef", "hostAndPort", "address", "ip", "ipv6"],
  ...["ipWithPrefixlen", "ipv6WithPrefixlen", "ipPrefix", "ipv4Prefix", "ipv6Prefix", "pattern"],
  ...["bytes.len", "bytes.minLen", "bytes.maxLen"],
]);

const validator = createValidator({ registry: ruledRegistry });

/** In OpenAPI 3.1 a `format` is an annotation, so the patterns must be sufficient. */
const ajv = new Ajv2020({ strict: false, validateFormats: false, validateSchema: false });

function compile(spec: RuledField): { message: DescMessage; validate: ValidateFunction; schema: JsonObject } {
  const message = ruledMessage(spec);
  const schemas = createSchemas(createTypeNames([message.file]));
  const reference = schemas.reference(message);
  const schema = { ...reference, components: { schemas: schemas.components() } };
  return { message, validate: ajv.compile(schema), schema };
}

/** Whether protovalidate and the schema accept a value of the field. */
function verdicts({ message, validate }: ReturnType<typeof compile>, init: object): { rule: boolean; schema: boolean } {
  const value = create(message, init as never);
  const result = validator.validate(message, value);
  if (result.kind === "error") throw result.error;
  const json = toJson(message, value, { alwaysEmitImplicit: true, registry: ruledRegistry });
  return { rule: result.kind === "valid", schema: validate(json) };
}

interface Place {
  readonly shape: NonNullable<RuledField["shape"]>;
  rules(rules: FieldRulesInit): FieldRulesInit;
  init(value: unknown): object;
}

const placeNames = ["a field", "an optional field", "items", "values of a map", "keys of a map"] as const;

/** The place of a value, and how its rules and values are set there. */
const places: Readonly<Record<(typeof placeNames)[number], Place>> = {
  "a field": { shape: "single", rules: (rules) => rules, init: (value) => ({ value }) },
  "an optional field": { shape: "optional", rules: (rules) => rules, init: (value) => ({ value }) },
  items: {
    shape: "list",
    rules: (items) => ({ type: { case: "repeated", value: { items } } }),
    init: (value) => ({ value: [value] }),
  },
  "values of a map": {
    shape: "map",
    rules: (values) => ({ type: { case: "map", value: { values } } }),
    init: (value) => ({ value: { k: value } }),
  },
  "keys of a map": {
    shape: "map",
    rules: (keys) => ({ type: { case: "map", value: { keys } } }),
    init: (value) => ({ value: { [String(value)]: "" } }),
  },
};

describe("rules in JSON Schema", () => {
  const notAsKeys = new Set(["float", "double", "bytes", "enum", "any", "duration", "fieldMask", "timestamp"]);
  const cases = placeNames.flatMap((place) =>
    valueKinds
      .filter((kind) => place !== "keys of a map" || !notAsKeys.has(kind))
      .map((kind) => [kind, place] as const),
  );

  test.each(cases)("of %s accept in %s what protovalidate accepts, and no more than necessary", (kind, place) => {
    const { shape, rules, init } = places[place] ??
      places["a field"] ?? { shape: "single", rules: String, init: Object };
    const ignores = fc.constantFrom(Ignore.UNSPECIFIED, Ignore.UNSPECIFIED, Ignore.IF_ZERO_VALUE, Ignore.ALWAYS);
    fc.assert(
      fc.property(rulesAndValues(kind), ignores, fc.boolean(), ({ set, values }, ignore, required) => {
        const valueRules: FieldRulesInit = {
          ...(ignore === Ignore.UNSPECIFIED ? {} : { ignore }),
          ...(required && shape === "single" ? { required } : {}),
          type: { case: kind, value: set } as NonNullable<FieldRulesInit["type"]>,
        };
        const asKey = place === "keys of a map" ? { kind: "string", keys: kind } : { kind };
        const compiled = compile({ ...asKey, shape, rules: rules(valueRules) });
        const isExact = Object.keys(flat(set)).every((name) => !wider.has(name) && !wider.has(`${kind}.${name}`));
        for (const value of values) {
          const { rule, schema } = verdicts(compiled, init(value));
          const context = { value, schema: compiled.schema, set };
          if (rule || isExact) expect({ ...context, taken: schema }).toEqual({ ...context, taken: rule });
        }
      }),
      { numRuns: 10 },
    );
  });

  test("of lists and maps count as protovalidate does", () => {
    const lists = compile({
      kind: "string",
      shape: "list",
      rules: { type: { case: "repeated", value: { minItems: 1n, maxItems: 3n, unique: true } } },
    });
    for (const value of [[], ["a"], ["a", "b"], ["a", "a"], ["a", "b", "c", "d"]]) {
      const { rule, schema } = verdicts(lists, { value });
      expect({ value, taken: schema }).toEqual({ value, taken: rule });
    }
    const maps = compile({
      kind: "string",
      shape: "map",
      rules: { ignore: Ignore.IF_ZERO_VALUE, type: { case: "map", value: { minPairs: 2n, maxPairs: 2n } } },
    });
    for (const value of [{}, { a: "" }, { a: "", b: "" }, { a: "", b: "", c: "" }]) {
      const { rule, schema } = verdicts(maps, { value });
      expect({ value, taken: schema }).toEqual({ value, taken: rule });
    }
  });

  test.each([false, true])("of a message allow one of its fields to be set (required: %p)", (required) => {
    const compiled = compile({ kind: "int64", messageRules: { oneof: [{ fields: ["value", "other"], required }] } });
    for (const init of [{}, { value: 1n }, { other: "a" }, { value: 1n, other: "a" }]) {
      const { rule, schema } = verdicts(compiled, init);
      expect({ init, taken: schema }).toEqual({ init, taken: rule });
    }
  });

  test("of a wrapper apply to the wrapped value, and null is not a value", () => {
    const compiled = compile({
      kind: "int64",
      shape: "wrapper",
      rules: { type: { case: "int64", value: { const: 5n } } },
    });
    expect(verdicts(compiled, { value: 5n })).toEqual({ rule: true, schema: true });
    expect(verdicts(compiled, { value: 6n })).toEqual({ rule: false, schema: false });
    expect(compiled.validate({ value: null })).toBe(true);
  });

  test("of an enum reject an undefined number", () => {
    const compiled = compile({ kind: "enum", rules: { type: { case: "enum", value: { definedOnly: true } } } });
    expect(verdicts(compiled, { value: 7 })).toEqual({ rule: false, schema: false });
  });

  test("match no time outside the range of a Timestamp", () => {
    const last = { seconds: 253402300799n, nanos: 999_999_999 };
    for (const bound of [
      { greaterThan: { case: "gt" as const, value: last } },
      { lessThan: { case: "lt" as const, value: { seconds: -62135596800n } } },
    ]) {
      const compiled = compile({ kind: "timestamp", rules: { type: { case: "timestamp", value: bound } } });
      expect(verdicts(compiled, { value: last })).toEqual({ rule: false, schema: false });
    }
  });

  test("leave a time with another offset to the server", () => {
    const compiled = compile({
      kind: "timestamp",
      rules: { type: { case: "timestamp", value: { greaterThan: { case: "gt", value: { seconds: 0n } } } } },
    });
    expect(compiled.validate({ value: "1970-01-01T00:00:00Z" })).toBe(false);
    expect(compiled.validate({ value: "1970-01-01T01:00:00+01:00" })).toBe(true);
  });
});

/** The names of the rules that are set, including those inside oneofs. */
function flat(set: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(set).map(([name, value]) => {
      const member = value as { case?: string; value?: unknown } | undefined;
      return member?.case === undefined ? [name, value] : [member.case, member.value];
    }),
  );
}
