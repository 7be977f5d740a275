import type { DescFile, DescMethod, DescService, FileRegistry, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { createRouter, type Route, routesOf } from "../routes.ts";
import { anyMethod } from "../trie.ts";
import { createTypeNames, openApiPath, resourcePatterns } from "./names.ts";
import { operationOf } from "./operations.ts";
import { createAccessReader, type OpenApiOptions } from "./options.ts";
import { commentOf, createSchemas } from "./schemas.ts";

/** Makes OpenAPI 3.1 documents from services. */
export interface DocumentBuilder {
  /** One document over all the given services, those without REST left out. @throws RouteError as the router does. */
  build(services: readonly DescService[]): JsonObject;
}

/** Prepares to build documents; `registry` holds every file that the services need. */
export function createDocumentBuilder(registry: FileRegistry, options: OpenApiOptions): DocumentBuilder {
  const files: DescFile[] = [...registry.files];
  const nameOf = createTypeNames(files);
  const patterns = resourcePatterns(files);
  const accessOf = createAccessReader(options, registry);

  const build = (services: readonly DescService[]): JsonObject => {
    const schemas = createSchemas(nameOf);
    const routes = services.flatMap((service) => service.methods.flatMap((method) => numbered(method)));
    createRouter(routes.map(({ route }) => route));
    const served = services.filter((service) => routes.some(({ route }) => route.method.parent === service));
    const secured = options.accessOption !== undefined;
    const securitySchemes = secured ? ["bearer", ...(options.apiKeyHeader === undefined ? [] : ["apiKey"])] : [];
    const paths: Record<string, JsonObject> = {};
    for (const { route, number } of routes) {
      if (route.httpMethod === anyMethod || !verbs.has(route.httpMethod)) continue;
      const path = openApiPath(route, patterns);
      paths[path.path] ??= {};
      const item = paths[path.path] as JsonObject;
      item[route.httpMethod.toLowerCase()] = operationOf({
        route,
        path,
        schemas,
        securitySchemes,
        access: accessOf(route.method),
        tag: route.method.parent.name,
        operationId: `${route.method.parent.name}_${route.method.name}${number === 1 ? "" : `_${number}`}`,
      });
    }
    return {
      openapi: "3.1.1",
      info: {
        title: options.title,
        version: options.version,
        ...(options.description === "" ? {} : { description: options.description }),
        ...(options.license === "" ? {} : { license: { name: options.license, identifier: options.license } }),
      },
      servers: [{ url: options.server }],
      ...(secured ? { security: securitySchemes.map((scheme) => ({ [scheme]: [] })) } : {}),
      tags: served.map((service) => ({ name: service.name, description: commentOf(service) || service.typeName })),
      paths: Object.fromEntries(Object.entries(paths).sort(([left], [right]) => (left < right ? -1 : 1))),
      components: {
        ...(secured ? { securitySchemes: schemesOf(options) } : {}),
        responses: errorResponses(),
        schemas: { ...statusSchemas(), ...schemas.components() },
      },
    };
  };

  return { build };
}

/** Methods that a path item can hold. */
const verbs = new Set(["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"]);

function numbered(method: DescMethod): { route: Route; number: number }[] {
  return routesOf(method).map((route, index) => ({ route, number: index + 1 }));
}

function schemesOf(options: OpenApiOptions): JsonObject {
  const schemes: JsonObject = {
    bearer: {
      type: "http",
      scheme: "bearer",
      description: "An API key or a JWT. The roles of an operation are its scopes.",
    },
  };
  if (options.apiKeyHeader !== undefined) {
    schemes["apiKey"] = { type: "apiKey", in: "header", name: options.apiKeyHeader, description: "An API key." };
  }
  return schemes;
}

const errors: readonly [name: string, description: string][] = [
  ["BadRequest", "The request is not valid, or not in this state. `details` holds every violation with its field."],
  ["Unauthenticated", "No credentials, or bad ones."],
  ["PermissionDenied", "The credentials do not allow this."],
  ["NotFound", "There is no such resource."],
  ["Conflict", "It exists already, or somebody else was faster."],
  ["PreconditionFailed", "The resource has changed since it had the entity tag of `If-Match`."],
  ["TooManyRequests", "A limit is reached. `Retry-After` says when to try again."],
  ["Error", "Any other error."],
];

function errorResponses(): JsonObject {
  const content: JsonValue = { "application/json": { schema: { $ref: "#/components/schemas/Status" } } };
  return Object.fromEntries(errors.map(([name, description]) => [name, { description, content }]));
}

function statusSchemas(): JsonObject {
  return {
    Status: {
      type: "object",
      description: "An error, as `google.rpc.Status`.",
      properties: {
        code: { type: "integer", format: "int32", description: "The number of the `google.rpc.Code`." },
        message: { type: "string", description: "What went wrong, for developers." },
        details: {
          type: "array",
          description:
            "Always an ErrorInfo with a `reason`; by the error also BadRequest, RetryInfo, PreconditionFailure and others.",
          items: {
            type: "object",
            properties: { "@type": { type: "string" } },
            required: ["@type"],
            additionalProperties: true,
          },
        },
      },
      required: ["code", "message", "details"],
    },
    StreamError: {
      type: "object",
      description: "The last element of a stream that failed.",
      properties: { error: { $ref: "#/components/schemas/Status" } },
      required: ["error"],
    },
  };
}
