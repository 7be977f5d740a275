import { readFileSync } from "node:fs";
import { create, createFileRegistry, type DescService, type JsonObject } from "@bufbuild/protobuf";
import {
  type CodeGeneratorRequest,
  type CodeGeneratorResponse,
  CodeGeneratorResponse_Feature,
  CodeGeneratorResponseSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { runNodeJs } from "@bufbuild/protoplugin";
import { stringify } from "yaml";
import { createDocumentBuilder } from "../openapi/document.ts";
import { parseOptions } from "../openapi/options.ts";
import { routesOf } from "../routing/http-rules.ts";

/**
 * A buf and protoc plugin that writes OpenAPI 3.1, as JSON and YAML: `openapi.*` over all services, and one document
 * for each service with REST methods. Reads `description_file` relative to the working directory.
 */
function run(request: CodeGeneratorRequest): CodeGeneratorResponse {
  const given = parseOptions(request.parameter);
  const { descriptionFile } = given;
  const options =
    descriptionFile === undefined ? given : { ...given, description: readFileSync(descriptionFile, "utf8").trim() };
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: request.protoFile }));
  const builder = createDocumentBuilder(registry, options);
  const services: DescService[] = request.fileToGenerate
    .flatMap((name) => registry.getFile(name)?.services ?? [])
    .filter((service) => service.methods.some((method) => routesOf(method).length > 0))
    .sort((left, right) => (left.typeName < right.typeName ? -1 : 1));
  const documents: [name: string, document: JsonObject][] = [
    ["openapi", builder.build(services)],
    ...services.map((service): [string, JsonObject] => [service.typeName, builder.build([service])]),
  ];
  return create(CodeGeneratorResponseSchema, {
    supportedFeatures: BigInt(CodeGeneratorResponse_Feature.PROTO3_OPTIONAL),
    file: documents.flatMap(([name, document]) => [
      { name: `${name}.json`, content: `${JSON.stringify(document, null, 2)}\n` },
      { name: `${name}.yaml`, content: stringify(document, { lineWidth: 0, aliasDuplicateObjects: false }) },
    ]),
  });
}

runNodeJs({ name: "protoc-gen-openapi", version: "1.0.0", run });
