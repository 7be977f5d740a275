import { gunzipSync } from "node:zlib";
import { clone, create, type DescFile, fromBinary, setExtension } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorSetSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { file_google_api_annotations, http } from "../../../gen/google/api/annotations_pb.js";
import { file_google_api_client } from "../../../gen/google/api/client_pb.js";
import { file_google_api_field_behavior } from "../../../gen/google/api/field_behavior_pb.js";
import { HttpRuleSchema } from "../../../gen/google/api/http_pb.js";
import { file_google_api_resource } from "../../../gen/google/api/resource_pb.js";
import { file_google_rpc_status } from "../../../gen/google/rpc/status_pb.js";
import {
  readServiceConfig,
  ruleFor,
  type ServiceConfig,
  ServiceConfigError,
  unusedRules,
} from "../../routing/service-config.ts";
import { ProgramError } from "../program-error.ts";
import { readNamedFile } from "../read-file.ts";
import { mixinFiles } from "./mixin-files.ts";

/** A service configuration and the name of its file. */
export interface ServiceConfigFile {
  readonly path: string;
  readonly config: ServiceConfig;
}

/** Reads a service configuration. @throws ProgramError that names the file and every violation with its line. */
export function readServiceConfigFile(path: string): ServiceConfigFile {
  const text = readNamedFile(path, `--service-config ${path}`).toString();
  try {
    return { path, config: readServiceConfig(text) };
  } catch (error) {
    if (!(error instanceof ServiceConfigError)) throw error;
    throw problemsIn(path, error.problems);
  }
}

/**
 * Adds the mixin services named by the configuration to the files of an API, and replaces the annotations of the
 * selected methods by its rules.
 *
 * @returns the location of each method's rule in the file, for methods that have one.
 * @throws ProgramError if the configuration names something unknown.
 */
export function applyServiceConfig(
  files: Map<string, FileDescriptorProto>,
  { path, config }: ServiceConfigFile,
): ReadonlyMap<string, string> {
  const problems: string[] = [];
  for (const { name, line } of config.apis) {
    if (isThere(files, name)) continue;
    const mixin = mixinOf(name);
    if (mixin === undefined) problems.push(`line ${line}: ${name} is neither in the descriptor set nor a known mixin`);
    else addWithImports(files, mixin);
  }
  const methods = [...files.values()].flatMap((file) =>
    file.service.flatMap((service) =>
      service.method.map((method) => ({
        method,
        name: [file.package, service.name, method.name].filter((part) => part !== "").join("."),
      })),
    ),
  );
  problems.push(
    ...unusedRules(
      config,
      methods.map(({ name }) => name),
    ),
  );
  if (problems.length > 0) throw problemsIn(path, problems);
  const places = new Map<string, string>();
  for (const { method, name } of methods) {
    const selected = ruleFor(config, name);
    if (selected === undefined) continue;
    places.set(name, `${path}, line ${selected.line}`);
    method.options ??= create(MethodOptionsSchema);
    setExtension(method.options, http, clone(HttpRuleSchema, selected.rule));
  }
  return places;
}

function problemsIn(path: string, problems: readonly string[]): ProgramError {
  return new ProgramError(`${path}:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
}

function isThere(files: ReadonlyMap<string, FileDescriptorProto>, service: string): boolean {
  return [...files.values()].some((file) => file.service.some(({ name }) => `${file.package}.${name}` === service));
}

const imports = [
  file_google_api_annotations,
  file_google_api_client,
  file_google_api_field_behavior,
  file_google_api_resource,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_rpc_status,
];

function mixinOf(service: string): FileDescriptorProto | undefined {
  return known().find((file) => isThere(new Map([[file.name, file]]), service));
}

let mixins: readonly FileDescriptorProto[] | undefined;

function known(): readonly FileDescriptorProto[] {
  mixins ??= fromBinary(FileDescriptorSetSchema, gunzipSync(Buffer.from(mixinFiles, "base64"))).file;
  return mixins;
}

function addWithImports(files: Map<string, FileDescriptorProto>, file: FileDescriptorProto): void {
  if (files.has(file.name)) return;
  files.set(file.name, file);
  for (const name of file.dependency) {
    const mixin = known().find((other) => other.name === name);
    if (mixin !== undefined) addWithImports(files, mixin);
    else for (const imported of imports) addDescFile(files, imported, name);
  }
}

function addDescFile(files: Map<string, FileDescriptorProto>, file: DescFile, name?: string): void {
  if (files.has(file.proto.name) || (name !== undefined && name !== file.proto.name)) return;
  files.set(file.proto.name, file.proto);
  for (const dependency of file.dependencies) addDescFile(files, dependency);
}
