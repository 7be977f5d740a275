import { clone, create, createFileRegistry, type JsonObject, setExtension } from "@bufbuild/protobuf";
import type { GenExtension } from "@bufbuild/protobuf/codegenv2";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  FileOptionsSchema,
  file_google_protobuf_descriptor,
  type MethodOptions,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "@jest/globals";
import { http } from "../../gen/google/api/annotations_pb.js";
import { HttpRuleSchema } from "../../gen/google/api/http_pb.js";
import { ResourceDescriptorSchema, resource_definition } from "../../gen/google/api/resource_pb.js";
import { testMessage, testRegistry, testService } from "../test/support/test-api.ts";
import { createDocumentBuilder } from "./document.ts";
import { parseOptions } from "./options.ts";

/** The paths of a service with these methods from Everything to Everything. */
function build(
  methods: Record<string, { get: string } | { delete: string } | { post: string }>,
  patterns: readonly string[] = [],
): Record<string, Record<string, JsonObject>> {
  const file = create(FileDescriptorProtoSchema, {
    name: "mixed.proto",
    package: "mixed",
    syntax: "proto3",
    dependency: [testService("Echo").file.proto.name, "google/api/annotations.proto"],
    service: [
      {
        name: "Mixed",
        method: Object.entries(methods).map(([name, rule]) => {
          const type = `.${testMessage("Everything").typeName}`;
          const options = create(MethodOptionsSchema);
          const [kind = "get", value = ""] = Object.entries(rule)[0] ?? [];
          const pattern = { case: kind as "get" | "delete" | "post", value };
          setExtension(options, http, create(HttpRuleSchema, { pattern, body: kind === "post" ? "*" : "" }));
          return { name, inputType: type, outputType: type, options };
        }),
      },
    ],
  });
  file.options = create(FileOptionsSchema);
  const definitions = patterns.map((pattern) => create(ResourceDescriptorSchema, { type: "x/Y", pattern: [pattern] }));
  setExtension(file.options, resource_definition, definitions);
  const registry = createFileRegistry(file, (name) => testRegistry.getFile(name));
  const service = registry.getService("mixed.Mixed");
  if (service === undefined) throw new Error("no service");
  const document = createDocumentBuilder(registry, parseOptions("")).build([service]);
  return document["paths"] as Record<string, Record<string, JsonObject>>;
}

describe("the OpenAPI document", () => {
  const document = createDocumentBuilder(testRegistry, parseOptions("title=Books,version=2")).build([
    testService("Library"),
    testService("Echo"),
  ]);
  const paths = document["paths"] as Record<string, Record<string, JsonObject>>;
  const schemas = (document["components"] as { schemas: Record<string, JsonObject> }).schemas;

  test("should be OpenAPI 3.1 with the configured options", () => {
    expect(document).toMatchObject({ openapi: "3.1.1", info: { title: "Books", version: "2" } });
  });

  test("should write multi-segment variables as whole-segment parameters", () => {
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining([
        "/v1/books/{name}",
        "/v1/books:watch",
        "/path/rest/{string_field}:verb",
        "/v1/chat/{room}",
      ]),
    );
  });

  test("should have a separate path for a last variable that matches no segment", () => {
    const [parameter] = (paths["/path/rest/{string_field}"]?.["get"]?.["parameters"] ?? []) as JsonObject[];
    expect(parameter).toMatchObject({ name: "string_field", in: "path", "x-multi-segment": true });
    expect(paths["/path/rest"]?.["get"]).toMatchObject({ operationId: "Echo_EchoPath_11_root" });
  });

  test("should use the same names in paths that differ only in names, and name every wildcard", () => {
    const mixed = build({
      One: { get: "/x/{string_field}/y/{nested.name}" },
      Two: { delete: "/x/{nested.name}/y/{string_field}" },
      Three: { get: "/z/*/{string_field=cats/*}/**" },
    });
    const parameters = (path: string, verb: string): unknown =>
      ((mixed[path]?.[verb]?.["parameters"] ?? []) as JsonObject[])
        .filter((parameter) => parameter["in"] === "path")
        .map((parameter) => parameter["name"]);
    expect(Object.keys(mixed)).toEqual(
      ["/x/{string_field}/y/{nested.name}", "/z/{segment}/cats/{cat}", "/z/{segment}/cats/{cat}/{segment_2}"].sort(),
    );
    expect(parameters("/x/{string_field}/y/{nested.name}", "delete")).toEqual(["string_field", "nested.name"]);
    expect(parameters("/z/{segment}/cats/{cat}/{segment_2}", "get")).toEqual(["segment", "cat", "segment_2"]);
  });

  test("should name parameters by the singular of the collection before them", () => {
    const collections = {
      databases: "database",
      series: "series",
      addresses: "address",
      boxes: "box",
      batches: "batch",
      caches: "cache",
      statuses: "status",
      houses: "house",
      categories: "category",
      movies: "movie",
      access: "access_id",
    };
    const methods = Object.keys(collections).map((name) => [name, { get: `/x/{string_field=${name}/*}` }]);
    expect(Object.keys(build(Object.fromEntries(methods)))).toEqual(
      Object.entries(collections)
        .map(([plural, singular]) => `/x/${plural}/{${singular}}`)
        .sort(),
    );
  });

  test("should name parameters as in a resource pattern, also if its variable has a sub-pattern", () => {
    const mixed = build({ One: { get: "/x/{string_field=docs/**}" } }, ["docs/{res=**}"]);
    expect(Object.keys(mixed)).toEqual(["/x/docs", "/x/docs/{res}"]);
  });

  test("should give bindings with different path variables separate bodies", () => {
    const mixed = build({
      One: { post: "/one/{string_field}" },
      Two: { post: "/two/{int32_field}" },
      Three: { post: "/three/{int32_field}/{string_field}" },
      Four: { post: "/four/{string_field}" },
    });
    const bodyOf = (path: string): unknown =>
      /"\$ref":"#\/components\/schemas\/Everything(\w*)"/.exec(
        JSON.stringify(mixed[path]?.["post"]?.["requestBody"]),
      )?.[1];
    expect(["/one/{string_field}", "/two/{int32_field}", "/four/{string_field}"].map(bodyOf)).toEqual([
      "Body",
      "BodyWithoutInt32_field",
      "Body",
    ]);
    expect(bodyOf("/three/{int32_field}/{string_field}")).toBe("BodyWithoutInt32_fieldString_field");
  });

  test("should describe the responses of a stream", () => {
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

  test("should describe bytes as binary content", () => {
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

  test("should use the proto names and the error format of the server", () => {
    const options = parseOptions("proto_names=true,error_format=problem");
    const other = createDocumentBuilder(testRegistry, options).build([testService("Library")]);
    const { schemas: named, responses } = other["components"] as Record<string, Record<string, JsonObject>>;
    expect(named?.["Book"]?.["properties"]).toHaveProperty("publish_time");
    expect(responses?.["NotFound"]?.["content"]).toHaveProperty(["application/problem+json"]);
    expect(() => parseOptions("error_format=xml")).toThrow('unknown error_format "xml"');
  });

  test("should list the tags in the order that it was given, and the others after them", () => {
    const tagsOf = (parameter: string): string[] => {
      const services = [testService("Echo"), testService("Library")];
      const { tags } = createDocumentBuilder(testRegistry, parseOptions(parameter)).build(services);
      return (tags as JsonObject[]).map((tag) => `${tag["name"]}`);
    };
    expect(tagsOf("")).toEqual(["Echo", "Library"]);
    expect(tagsOf("tag_order=Library")).toEqual(["Library", "Echo"]);
    expect(tagsOf("tag_order=Library Echo")).toEqual(["Library", "Echo"]);
    expect(() => tagsOf("tag_order=Library Shop")).toThrow("tag_order names unknown services: Shop");
  });

  test("should mark the operations of methods that an option says are not implemented", () => {
    const { type, label } = { type: FieldDescriptorProto_Type.BOOL, label: FieldDescriptorProto_Label.OPTIONAL };
    const optionFile = create(FileDescriptorProtoSchema, {
      name: "missing.proto",
      package: "missing",
      syntax: "proto3",
      dependency: ["google/protobuf/descriptor.proto"],
      extension: [{ name: "unimplemented", number: 50900, extendee: ".google.protobuf.MethodOptions", type, label }],
    });
    const optionRegistry = createFileRegistry(optionFile, () => file_google_protobuf_descriptor);
    const unimplemented = optionRegistry.getExtension("missing.unimplemented");
    if (unimplemented === undefined) throw new Error("no extension");
    const library = clone(FileDescriptorProtoSchema, testService("Library").file.proto);
    const methods = library.service.find(({ name }) => name === "Library")?.method ?? [];
    const missing = methods.find(({ name }) => name === "GetBook");
    if (missing?.options === undefined) throw new Error("no method");
    setExtension(missing.options, unimplemented as GenExtension<MethodOptions, boolean>, true);
    const registry = createFileRegistry(
      createFileRegistry(library, (name) => testRegistry.getFile(name)),
      optionRegistry,
    );
    const service = registry.getService(testService("Library").typeName);
    if (service === undefined) throw new Error("no service");
    const options = parseOptions("unimplemented_option=missing.unimplemented");
    const marked = createDocumentBuilder(registry, options).build([service])["paths"] as typeof paths;
    const operations = Object.values(marked).flatMap((item) => Object.values(item) as JsonObject[]);
    const found = operations.filter((operation) => operation["x-unimplemented"] === true);
    expect(found.map((operation) => operation["operationId"])).toEqual(["Library_GetBook_2", "Library_GetBook"]);
    for (const operation of found) {
      expect(operation["summary"]).toMatch(/ \(not implemented yet\)$/);
      expect(operation["description"]).toMatch(/^\*\*Not implemented yet: answers UNIMPLEMENTED \(501\)\.\*\*/);
    }
    expect(() => createDocumentBuilder(registry, parseOptions("unimplemented_option=missing.other"))).toThrow(
      'unimplemented_option "missing.other" is not a bool that is a method option',
    );
  });

  test("should contain everything that it refers to", () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(\w+)\/([^"]+)"/g)];
    const components = document["components"] as Record<string, Record<string, unknown>>;
    for (const [, kind = "", name = ""] of references) expect(components[kind]?.[name]).toBeDefined();
  });
});
