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
import { createRouter, type Route, routesOf } from "../routing/http-rules.ts";
import { anyMethod } from "../routing/route-trie.ts";
import { errorResponses, errorSchemas } from "./errors.ts";
import { createTypeNames, type OpenApiPath, openApiPaths, renamedLike, resourcePatterns } from "./names.ts";
import { operationOf } from "./operations.ts";
import { createAccessReader, createUnimplementedReader, type OpenApiOptions } from "./options.ts";
import { commentOf, createSchemas } from "./schemas.ts";

/** Builds OpenAPI 3.1 documents from services. */
export interface DocumentBuilder {
  /**
   * Builds one document over the given services; those without REST methods are omitted. @throws RouteError as the
   * router does.
   */
  build(services: readonly DescService[]): JsonObject;
}

/** Creates a document builder; `given` holds every file that the services need. */
export function createDocumentBuilder(given: FileRegistry, options: OpenApiOptions): DocumentBuilder {
  const registry = options.protoNames ? withProtoNames(given) : given;
  const files: DescFile[] = [...registry.files];
  const nameOf = createTypeNames(files);
  const patterns = resourcePatterns(files);
  const accessOf = createAccessReader(options, registry);
  const isUnimplemented = createUnimplementedReader(options, registry);
  const ranks = tagRanks(options.tagOrder, files);

  const build = (wanted: readonly DescService[]): JsonObject => {
    const services = wanted.map((service) => registry.getService(service.typeName) ?? service);
    const schemas = createSchemas(nameOf);
    const routes = services.flatMap((service) => service.methods.flatMap((method) => numbered(method)));
    createRouter(routes.map(({ route }) => route));
    const rankOf = ({ name }: DescService): number => ranks.get(name) ?? ranks.size;
    const served = services
      .filter((service) => routes.some(({ route }) => route.method.parent === service))
      .sort((left, right) => rankOf(left) - rankOf(right));
    const secured = options.accessOption !== undefined;
    const securitySchemes = secured ? ["bearer", ...(options.apiKeyHeader === undefined ? [] : ["apiKey"])] : [];
    const paths: Record<string, JsonObject> = {};
    const firsts = new Map<string, OpenApiPath>();
    const scopes = new Set<string>();
    for (const { route, number } of routes) {
      if (route.httpMethod === anyMethod || !verbs.has(route.httpMethod)) continue;
      const { name, parent } = route.method;
      const access = accessOf(route.method);
      if (access?.open === false) for (const scope of access.scopes) scopes.add(scope);
      for (const candidate of openApiPaths(route, patterns)) {
        const shape = candidate.path.replace(/\{[^}]*\}/g, "{}");
        const path = renamedLike(candidate, firsts.get(shape) ?? candidate);
        firsts.set(shape, path);
        const verb = route.httpMethod.toLowerCase();
        const item = (paths[path.path] ??= {});
        item[verb] ??= operationOf({
          route,
          path,
          schemas,
          securitySchemes,
          access,
          unimplemented: isUnimplemented(route.method),
          created: options.created,
          tag: parent.name,
          operationId: `${parent.name}_${name}${number === 1 ? "" : `_${number}`}${path.isShortened ? "_root" : ""}`,
        });
      }
    }
    return onlyUsed({
      openapi: "3.1.1",
      info: {
        title: options.title,
        version: options.version,
        ...(options.description === "" ? {} : { description: options.description }),
        ...(options.license === "" ? {} : { license: { name: options.license, identifier: options.license } }),
      },
      servers: [{ url: options.server }],
      security: securitySchemes.map((scheme) => ({ [scheme]: [] })),
      tags: served.map((service) => ({ name: service.name, description: commentOf(service) || service.typeName })),
      paths: Object.fromEntries(Object.entries(paths).sort(([left], [right]) => (left < right ? -1 : 1))),
      components: {
        ...(secured ? { securitySchemes: schemesOf(options, [...scopes].sort()) } : {}),
        responses: errorResponses(options.errorFormat),
        schemas: { ...errorSchemas(options.errorFormat), ...schemas.components() },
      },
    });
  };

  return { build };
}

/** The place of each service that the option names. @throws Error for a name that no service has. */
function tagRanks(order: readonly string[], files: readonly DescFile[]): ReadonlyMap<string, number> {
  const names = new Set(files.flatMap(({ services }) => services.map(({ name }) => name)));
  const unknown = order.filter((name) => !names.has(name));
  if (unknown.length > 0) throw new Error(`tag_order names unknown services: ${unknown.join(", ")}`);
  return new Map(order.map((name, index) => [name, index]));
}

/** HTTP methods that a path item supports. */
const verbs = new Set(["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"]);

function numbered(method: DescMethod): { route: Route; number: number }[] {
  // The server has already rejected the templates it does not support.
  return routesOf(method, { extendedTemplates: true }).map((route, index) => ({ route, number: index + 1 }));
}

/** The document without unreferenced responses and schemas. */
function onlyUsed(document: JsonObject): JsonObject {
  const text = JSON.stringify(document);
  const components = Object.entries(document["components"] as Record<string, JsonObject>).map(([kind, all]) => {
    const used = Object.entries(all).filter(
      ([name]) => kind === "securitySchemes" || text.includes(`"#/components/${kind}/${name}"`),
    );
    return [kind, Object.fromEntries(used)] as const;
  });
  const left = { ...document, components: Object.fromEntries(components) };
  return JSON.stringify(left).length === text.length ? left : onlyUsed(left);
}

function schemesOf(options: OpenApiOptions, scopes: readonly string[]): JsonObject {
  const list = scopes.length === 0 ? "" : ` Scopes: ${scopes.map((scope) => `\`${scope}\``).join(", ")}.`;
  const schemes: JsonObject = {
    bearer: {
      type: "http",
      scheme: "bearer",
      description: `An API key or a JWT. The roles of an operation are its scopes, one of which is required.${list}`,
    },
  };
  if (options.apiKeyHeader !== undefined) {
    schemes["apiKey"] = { type: "apiKey", in: "header", name: options.apiKeyHeader, description: "An API key." };
  }
  return schemes;
}

/** The same files with every field's JSON name set to its proto name. */
function withProtoNames(registry: FileRegistry): FileRegistry {
  const rename = (message: DescriptorProto): void => {
    for (const field of message.field) field.jsonName = field.name;
    message.nestedType.forEach(rename);
  };
  const files = [...registry.files].map(({ proto }) => clone(FileDescriptorProtoSchema, proto));
  for (const file of files) file.messageType.forEach(rename);
  return createFileRegistry(create(FileDescriptorSetSchema, { file: files }));
}
