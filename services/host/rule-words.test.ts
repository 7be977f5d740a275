import { glob } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { type DescField, type DescFile, type DescMessage, getOption } from "@bufbuild/protobuf";
import { type FieldRules, field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { expect, test } from "@jest/globals";
import { wordsOf } from "../runtime/interceptors/rule-words.ts";

async function contractFiles(): Promise<DescFile[]> {
  const found: DescFile[] = [];
  for await (const path of glob("gen/docket/**/*_pb.js")) {
    const exports: Record<string, { kind?: string }> = await import(pathToFileURL(path).href);
    found.push(...Object.values(exports).filter((value): value is DescFile => value.kind === "file"));
  }
  return found;
}

const fieldsOf = (message: DescMessage): DescField[] => [
  ...message.fields,
  ...message.nestedMessages.flatMap((nested) => fieldsOf(nested)),
];

function patternsOf({ type }: FieldRules): string[] {
  switch (type.case) {
    case "string":
      return type.value.pattern === "" ? [] : [type.value.pattern];
    case "repeated":
      return type.value.items === undefined ? [] : patternsOf(type.value.items);
    case "map":
      return [type.value.keys, type.value.values].flatMap((rules) => (rules === undefined ? [] : patternsOf(rules)));
    default:
      return [];
  }
}

test("every pattern of the contract is described in words", async () => {
  const fields = (await contractFiles()).flatMap(({ messages }) => messages.flatMap((message) => fieldsOf(message)));
  const patterns = fields.flatMap((field) =>
    patternsOf(getOption(field, fieldRules)).map((pattern) => [`${field}`, pattern] as const),
  );
  expect(patterns.length).toBeGreaterThan(50);
  expect(patterns.filter(([, pattern]) => wordsOf(pattern) === undefined)).toEqual([]);
});

test.each([
  ["^orders/[^/]{1,64}$", 'must have the form "orders/{order}"'],
  ["^orders/[^/]{1,64}/payments/[^/]{1,64}$", 'must have the form "orders/{order}/payments/{payment}"'],
  ["^[A-Z]{3}$", 'must be three capital letters, for example "EUR"'],
  ["^unheard of$", undefined],
])("%s is: %s", (pattern, words) => {
  expect(wordsOf(pattern)).toBe(words);
});
