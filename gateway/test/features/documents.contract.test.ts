import { create, createFileRegistry, type JsonObject, setExtension } from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
  file_google_protobuf_descriptor,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { FieldRulesSchema, field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { http } from "../../../gen/google/api/annotations_pb.js";
import { FieldBehavior, field_behavior } from "../../../gen/google/api/field_behavior_pb.js";
import { HttpRuleSchema } from "../../../gen/google/api/http_pb.js";
import { file_google_api_httpbody } from "../../../gen/google/api/httpbody_pb.js";
import { createDocumentBuilder } from "../../openapi/document.ts";
import { parseOptions } from "../../openapi/options.ts";
import { anySpec } from "../support/any-spec.ts";
import { rawRequest } from "../support/raw-request.ts";
import { startTestServer } from "../support/test-api.ts";
import { features } from "./features.ts";

const { OPTIONAL, REPEATED } = FieldDescriptorProto_Label;
const { STRING, MESSAGE } = FieldDescriptorProto_Type;

/** A method option that declares the scopes of callers. */
const accessFile = create(FileDescriptorProtoSchema, {
  name: "features/access.proto",
  package: "features",
  syntax: "proto3",
  dependency: ["google/protobuf/descriptor.proto"],
  messageType: [
    { name: "Access", field: [{ name: "scopes", jsonName: "scopes", number: 1, type: STRING, label: REPEATED }] },
  ],
  extension: [
    {
      name: "access",
      number: 50_001,
      type: MESSAGE,
      label: OPTIONAL,
      typeName: ".features.Access",
      extendee: ".google.protobuf.MethodOptions",
    },
  ],
});
const accessRegistry = createFileRegistry(accessFile, () => file_google_protobuf_descriptor);

function methodOptions(rule: Parameters<typeof create<typeof HttpRuleSchema>>[1], scope?: string) {
  const options = create(MethodOptionsSchema);
  setExtension(options, http, create(HttpRuleSchema, rule));
  const access = accessRegistry.getExtension("features.access");
  const message = accessRegistry.getMessage("features.Access");
  if (scope !== undefined && access !== undefined && message !== undefined) {
    setExtension(options, access, create(message, { scopes: [scope] } as never));
  }
  return options;
}

function fieldOptions(
  behavior: FieldBehavior | undefined,
  rules?: Parameters<typeof create<typeof FieldRulesSchema>>[1],
) {
  const options = create(FieldOptionsSchema);
  if (behavior !== undefined) setExtension(options, field_behavior, [behavior]);
  if (rules !== undefined) setExtension(options, fieldRules, create(FieldRulesSchema, rules));
  return options;
}

/** A small API that exercises every part of the document. */
const apiFile = create(FileDescriptorProtoSchema, {
  name: "features/api.proto",
  package: "features",
  syntax: "proto3",
  dependency: ["google/api/httpbody.proto", "features/access.proto"],
  messageType: [
    {
      name: "Item",
      field: [
        {
          name: "name",
          jsonName: "name",
          number: 1,
          type: STRING,
          label: OPTIONAL,
          options: fieldOptions(FieldBehavior.OUTPUT_ONLY),
        },
        {
          name: "sku",
          jsonName: "sku",
          number: 2,
          type: STRING,
          label: OPTIONAL,
          options: fieldOptions(FieldBehavior.REQUIRED, {
            type: { case: "string", value: { minLen: 2n, maxLen: 9n, pattern: "^[A-Z]+$" } },
          }),
        },
      ],
    },
  ],
  service: [
    {
      name: "Shop",
      method: [
        {
          name: "CreateItem",
          inputType: ".features.Item",
          outputType: ".features.Item",
          options: methodOptions({ pattern: { case: "post", value: "/items" }, body: "*" }, "items.write"),
        },
        {
          name: "WatchItems",
          inputType: ".features.Item",
          outputType: ".features.Item",
          serverStreaming: true,
          options: methodOptions({ pattern: { case: "get", value: "/items:watch" } }),
        },
        {
          name: "GetPicture",
          inputType: ".features.Item",
          outputType: ".google.api.HttpBody",
          options: methodOptions({ pattern: { case: "get", value: "/items/{name}/picture" } }),
        },
      ],
    },
  ],
});

describe(features.openapi, () => {
  let document: JsonObject;
  const at = (...path: string[]): unknown => path.reduce<unknown>((value, key) => (value as JsonObject)[key], document);

  beforeAll(async () => {
    const files = [file_google_protobuf_descriptor, file_google_api_httpbody];
    const api = createFileRegistry(apiFile, (name) =>
      name === "features/access.proto" ? accessRegistry.getFile(name) : files.find(({ proto }) => proto.name === name),
    );
    const registry = createFileRegistry(api, accessRegistry);
    const shop = registry.getService("features.Shop");
    if (shop === undefined) throw new Error("no Shop");
    const options = parseOptions("title=Shop,access_option=features.access,api_key_header=X-Api-Key");
    const built = createDocumentBuilder(registry, options).build([shop]);
    await using server = await startTestServer({
      specs: [anySpec(shop)],
      registry,
      openapi: { json: JSON.stringify(built), yaml: "openapi: 3.1.1\n" },
    });
    const answer = await rawRequest(server.url, "/openapi.json");
    expect(answer.headers["content-type"]).toMatch(/^application\/(openapi\+)?json/);
    document = JSON.parse(answer.body.toString()) as JsonObject;
  });

  test("it is 3.1", () => {
    expect(document).toMatchObject({ openapi: expect.stringMatching(/^3\.1\./), info: { title: "Shop" } });
  });

  test("field_behavior: required fields and output-only fields", () => {
    const item = at("components", "schemas", "Item") as { required?: string[]; properties: Record<string, JsonObject> };
    expect(item.properties["name"]).toMatchObject({ readOnly: true });
    expect(item.required).toContain("sku");
  });

  test("protovalidate's rules are keywords", () => {
    const properties = at("components", "schemas", "Item", "properties") as Record<string, JsonObject>;
    expect(properties["sku"]).toMatchObject({ minLength: 2, maxLength: 9, pattern: "^[A-Z]+$" });
  });

  test("streaming: every format that Accept may request", () => {
    const content = at("paths", "/items:watch", "get", "responses", "200", "content") as JsonObject;
    expect(Object.keys(content).sort()).toEqual(["application/json", "application/x-ndjson", "text/event-stream"]);
  });

  test("HttpBody is bytes of any type", () => {
    expect(at("paths", "/items/{name}/picture", "get", "responses", "200", "content")).toMatchObject({ "*/*": {} });
  });

  test("errors: google.rpc.Status for everything else", () => {
    const responses = at("paths", "/items", "post", "responses") as Record<string, JsonObject>;
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(["400", "default"]));
    expect(JSON.stringify(document)).toContain('"#/components/schemas/Status"');
  });

  test("examples", () => {
    const body = at("paths", "/items", "post", "requestBody", "content", "application/json") as JsonObject;
    expect(JSON.stringify([body, at("components", "schemas", "Item")])).toMatch(/"examples?":/);
  });

  test("security: the scopes of the option, by every scheme", () => {
    const security = at("paths", "/items", "post", "security") as Record<string, string[]>[];
    expect(security.length).toBeGreaterThan(1);
    for (const scheme of security) expect(Object.values(scheme)).toEqual([["items.write"]]);
    const schemes = at("components", "securitySchemes") as Record<string, JsonObject>;
    expect(Object.values(schemes)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ scheme: "bearer" }),
        expect.objectContaining({ name: "X-Api-Key" }),
      ]),
    );
  });
});
