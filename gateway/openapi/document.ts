import {
  clone,
  create,
  createFileRegistry,
  type DescFile,
  type DescMethod,
  type DescService,
  type FileRegistry,
  type JsonObject,
} from "@bufbuild/protobuf";
import { type DescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createRouter, type Route, routesOf } from "../routes.ts";
import { anyMethod } from "../trie.ts";
import { errorResponses, errorSchemas } from "./errors.ts";
import { createTypeNames, openApiPaths, resourcePatterns } from "./names.ts";
import { operationOf } from "./operations.ts";
import { createAccessReader, type OpenApiOptions } from "./options.ts";
import { commentOf, createSchemas } from "./schemas.ts";

/** Makes OpenAPI 3.1 documents from services. */
export interface DocumentBuilder {
  /** One document over all the given services, those without REST left out. @throws RouteError as the router does. */
  build(services: readonly DescService[]): JsonObject;
}

/** Prepares to build documents; `given` holds every file that the services need. */
export function createDocumentBuilder(given: FileRegistry, options: OpenApiOptions): DocumentBuilder {
  const registry = options.protoNames ? withProtoNames(given) : given;
  const files: DescFile[] = [...registry.files];
  const nameOf = createTypeNames(files);
  const patterns = resourcePatterns(files);
  const accessOf = createAccessReader(options, registry);

  const build = (wanted: readonly DescService[]): JsonObject => {
    const services = wanted.map((service) => registry.getService(service.typeName) ?? service);
    const schemas = createSchemas(nameOf);
    const routes = services.flatMap((service) => service.methods.flatMap((method) => numbered(method)));
    createRouter(routes.map(({ route }) => route));
    const served = services.filter((service) => routes.some(({ route }) => route.method.parent === service));
    const secured = options.accessOption !== undefined;
    const securitySchemes = secured ? ["bearer", ...(options.apiKeyHeader === undefined ? [] : ["apiKey"])] : [];
    const paths: Record<string, JsonObject> = {};
    for (const { route, number } of routes) {
      if (route.httpMethod === anyMethod || !verbs.has(route.httpMethod)) continue;
      const { name, parent } = route.method;
      for (const path of openApiPaths(route, patterns)) {
        const verb = route.httpMethod.toLowerCase();
        const item = (paths[path.path] ??= {});
        item[verb] ??= operationOf({
          route,
          path,
          schemas,
          securitySchemes,
          access: accessOf(route.method),
          tag: parent.name,
          operationId: `${parent.name}_${name}${number === 1 ? "" : `_${number}`}${path.isShortened ? "_root" : ""}`,
        });
      }
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
        responses: errorResponses(options.errorFormat),
        schemas: { ...errorSchemas(options.errorFormat), ...schemas.components() },
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

/** The same files with every field's JSON name being its proto name. */
function withProtoNames(registry: FileRegistry): FileRegistry {
  const rename = (message: DescriptorProto): void => {
    for (const field of message.field) field.jsonName = field.name;
    message.nestedType.forEach(rename);
  };
  const files = [...registry.files].map(({ proto }) => clone(FileDescriptorProtoSchema, proto));
  for (const file of files) file.messageType.forEach(rename);
  return createFileRegistry(create(FileDescriptorSetSchema, { file: files }));
}
