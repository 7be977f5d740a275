import { readFileSync } from "node:fs";
import type { JsonObject, JsonValue, MessageInitShape } from "@bufbuild/protobuf";
import type { FieldRules, FieldRulesSchema } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { createDocumentValidator, toPointer } from "../test/support/document-validator.ts";
import { rulesAndValues } from "../test/support/random-rules.ts";
import { ruledMessage, valueKinds } from "../test/support/ruled-message.ts";
import { testDocument } from "../test/support/test-api.ts";
import { exampleOf } from "./examples.ts";
import { createTypeNames } from "./names.ts";
import { createSchemas } from "./schemas.ts";

type FieldRulesInit = Exclude<MessageInitShape<typeof FieldRulesSchema>, FieldRules>;

const committed = new URL("../../gen/openapi/openapi.json", import.meta.url);

const documents: [string, JsonObject][] = [
  ["the test API", testDocument()],
  ["the test API with errors of AIP-193", testDocument({ errorFormat: "aip193" })],
  ["the test API with errors of RFC 9457", testDocument({ errorFormat: "problem" })],
  ["what the build generates", JSON.parse(readFileSync(committed, "utf8")) as JsonObject],
];

interface Content {
  readonly pointer: string;
  readonly type: string;
  readonly example: JsonValue | undefined;
}

describe.each(documents)("the examples of %s", (_, document) => {
  const validate = createDocumentValidator(document);

  test("should exist for every JSON body and response, and match their schemas", () => {
    const contents = contentsOf(document);
    expect(contents.length).toBeGreaterThan(50);
    const problems = contents.flatMap(({ pointer, example }) =>
      example === undefined
        ? [`${pointer}: none`]
        : validate(`${pointer}/schema`, example).map((violation) => `${pointer}: ${violation}`),
    );
    expect(problems).toEqual([]);
  });
});

test.each(valueKinds)("an example satisfies the rules of %s, or is omitted", (kind) => {
  let found = 0;
  fc.assert(
    fc.property(rulesAndValues(kind), ({ set }) => {
      const rules: FieldRulesInit = {
        required: true,
        type: { case: kind, value: set } as NonNullable<FieldRulesInit["type"]>,
      };
      const message = ruledMessage({ kind, rules });
      const schemas = createSchemas(createTypeNames([message.file]));
      schemas.reference(message);
      const example = exampleOf(message, "request");
      if (example === undefined) return;
      found += 1;
      const validate = createDocumentValidator({ components: { schemas: schemas.components() } });
      expect({ set, example, problems: validate("/components/schemas/M", example) }).toEqual({
        set,
        example,
        problems: [],
      });
    }),
    { numRuns: 20 },
  );
  expect(found).toBeGreaterThan(0);
});

/** Every JSON request and response body in a document, with its example. */
function contentsOf(document: JsonObject): Content[] {
  const found: Content[] = [];
  const visit = (holder: JsonObject, pointer: string): void => {
    for (const [type, media] of Object.entries((holder["content"] ?? {}) as JsonObject)) {
      if (type === "*/*") continue;
      const { example } = media as JsonObject;
      found.push({ pointer: `${pointer}/content/${toPointer(type)}`, type, example });
    }
  };
  for (const [path, item] of Object.entries(document["paths"] as JsonObject)) {
    for (const [verb, operation] of Object.entries(item as JsonObject)) {
      const at = `/paths/${toPointer(path)}/${verb}`;
      const { requestBody = {}, responses } = operation as JsonObject;
      visit(requestBody as JsonObject, `${at}/requestBody`);
      for (const [status, response] of Object.entries(responses as JsonObject)) {
        visit(response as JsonObject, `${at}/responses/${status}`);
      }
    }
  }
  const { responses } = document["components"] as JsonObject;
  for (const [name, response] of Object.entries(responses as JsonObject)) {
    visit(response as JsonObject, `/components/responses/${name}`);
  }
  return found;
}
