import type { JsonObject } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { testRegistry, testService } from "../testing/test-api.ts";
import { createDocumentBuilder } from "./document.ts";
import { parseOptions } from "./options.ts";

describe("the OpenAPI document", () => {
  const document = createDocumentBuilder(testRegistry, parseOptions("title=Books,version=2")).build([
    testService("Library"),
    testService("Echo"),
  ]);
  const paths = document["paths"] as Record<string, Record<string, JsonObject>>;
  const schemas = (document["components"] as { schemas: Record<string, JsonObject> }).schemas;

  test("should be OpenAPI 3.1 with what it was told", () => {
    expect(document).toMatchObject({ openapi: "3.1.1", info: { title: "Books", version: "2" } });
  });

  test("should write variables of several segments as whole-segment parameters", () => {
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining([
        "/v1/books/{name}",
        "/v1/books:watch",
        "/path/rest/{string_field}:verb",
        "/v1/chat/{room}",
      ]),
    );
  });

  test("should say how a stream is answered", () => {
    const answer = (
      paths["/v1/books:watch"]?.["get"]?.["responses"] as Record<string, { content: object }> | undefined
    )?.["200"];
    expect(Object.keys(answer?.content ?? {})).toEqual([
      "application/x-ndjson",
      "text/event-stream",
      "application/json",
    ]);
    expect(schemas["StreamError"]).toBeDefined();
  });

  test("should take bytes as bytes", () => {
    expect(paths["/v1/books:upload"]?.["post"]?.["requestBody"]).toMatchObject({ content: { "*/*": {} } });
  });

  test("should give well-known types their JSON form", () => {
    const { properties } = schemas["Everything"] as { properties: Record<string, JsonObject> };
    expect(properties).toMatchObject({
      int64Field: { type: "string", format: "int64" },
      timestamp: { type: "string", format: "date-time" },
      stringValue: { type: ["string", "null"] },
      struct: { type: "object" },
      bytesField: { contentEncoding: "base64" },
      enumField: { $ref: "#/components/schemas/Kind" },
      recursive: { $ref: "#/components/schemas/Everything" },
    });
  });

  test("should let a PATCH name any field and clear it", () => {
    const { properties, required } = schemas["BookPatch"] as {
      properties: Record<string, JsonObject>;
      required?: unknown;
    };
    expect(properties["title"]).toMatchObject({ type: ["string", "null"] });
    expect(required).toBeUndefined();
  });

  test("should refer only to what it has", () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(\w+)\/([^"]+)"/g)];
    const components = document["components"] as Record<string, Record<string, unknown>>;
    for (const [, kind = "", name = ""] of references) expect(components[kind]?.[name]).toBeDefined();
  });
});
