import { create, createFileRegistry } from "@bufbuild/protobuf";
import {
  type CodeGeneratorRequest,
  type CodeGeneratorResponse,
  CodeGeneratorResponse_Feature,
  CodeGeneratorResponseSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { runNodeJs } from "@bufbuild/protoplugin";
import { createRouter, type Route, RouteError, routesOf } from "../routing/http-rules.ts";

/**
 * A buf and protoc plugin that writes the table of all REST routes, as JSON. It also validates them: an invalid
 * template, variable or body, or two routes that one request could match, fails the build.
 */
function run(request: CodeGeneratorRequest): CodeGeneratorResponse {
  const supportedFeatures = BigInt(CodeGeneratorResponse_Feature.PROTO3_OPTIONAL);
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: request.protoFile }));
  const methods = request.fileToGenerate
    .flatMap((name) => registry.getFile(name)?.services ?? [])
    .flatMap((service) => service.methods);
  const errors: string[] = [];
  const routes: Route[] = [];
  for (const method of methods) attempt(() => routes.push(...routesOf(method)));
  attempt(() => createRouter(routes));
  if (errors.length > 0) return create(CodeGeneratorResponseSchema, { error: errors.join("\n"), supportedFeatures });
  const table = routes.map(rowOf).sort((left, right) => (sortKey(left) < sortKey(right) ? -1 : 1));
  return create(CodeGeneratorResponseSchema, {
    supportedFeatures,
    file: [{ name: "routes.json", content: `[\n${table.map((row) => `  ${JSON.stringify(row)}`).join(",\n")}\n]\n` }],
  });

  function attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof RouteError)) throw error;
      errors.push(error.message);
    }
  }
}

interface Row {
  readonly http: string;
  readonly path: string;
  readonly rpc: string;
  readonly kind: string;
  readonly body?: string;
  readonly response_body?: string;
}

function rowOf(route: Route): Row {
  const { method, body, responseBody } = route;
  return {
    http: route.httpMethod,
    path: route.template.source,
    rpc: `${method.parent.typeName}/${method.name}`,
    kind: method.methodKind,
    ...(body === "none" ? {} : { body: body === "all" ? "*" : body.name }),
    ...(responseBody === undefined ? {} : { response_body: responseBody.name }),
  };
}

function sortKey(row: Row): string {
  return `${row.path} ${row.http}`;
}

runNodeJs({ name: "protoc-gen-rest-routes", version: "1.0.0", run });
