import type { DescService, FileRegistry, JsonObject } from "@bufbuild/protobuf";
import { stringify } from "yaml";
import type { OpenApiDocuments } from "../../openapi/docs-handler.ts";
import { createDocumentBuilder } from "../../openapi/document.ts";
import { parseOptions } from "../../openapi/options.ts";
import type { HttpOptions } from "../../rest/options.ts";
import { routesOf } from "../../routing/http-rules.ts";

/**
 * The OpenAPI documents of an API: one over all services with REST routes, and one per service. They are built on first
 * request, because for a large API they take longer than the rest of a reload.
 */
export function documentsOf(
  registry: FileRegistry,
  { errorFormat = "status", json, created = true }: Pick<HttpOptions, "errorFormat" | "json" | "created">,
): OpenApiDocuments {
  const services = [...registry].filter((type) => type.kind === "service");
  const served = services.filter((service) =>
    service.methods.some((method) => routesOf(method, { extendedTemplates: true }).length > 0),
  );
  const options = parseOptions(
    `error_format=${errorFormat},proto_names=${json?.protoNames ?? false},created=${created}`,
  );
  const builder = createDocumentBuilder(registry, options);
  const texts = (of: readonly DescService[]): { readonly json: string; readonly yaml: string } => {
    let document: JsonObject | undefined;
    const make = (): JsonObject => {
      document ??= builder.build(of);
      return document;
    };
    return {
      get json() {
        return JSON.stringify(make());
      },
      get yaml() {
        return stringify(make(), { aliasDuplicateObjects: false });
      },
    };
  };
  return Object.assign(texts(served), {
    services: Object.fromEntries(served.map((service) => [service.typeName, texts([service])])),
  });
}
