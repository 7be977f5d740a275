import { gunzipSync } from "node:zlib";
import { clone, create, createFileRegistry, type FileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { TemplateOptions } from "../../routing/template-parser.ts";
import { ProgramError } from "../program-error.ts";
import { readNamedFile } from "../read-file.ts";
import { findInvalidRules, type InvalidRule, removeRules } from "../server/http-rules.ts";
import { applyServiceConfig, type ServiceConfigFile } from "../server/service-config.ts";

/** The API that the program serves. */
export interface Api {
  readonly registry: FileRegistry;
  /** HTTP rules that cannot be served and were skipped; their methods are served without them. */
  readonly skipped: readonly InvalidRule[];
}

/** Options of {@link readApi}. */
export interface ReadOptions extends TemplateOptions {
  /** Skips all other invalid HTTP rules too, instead of failing. */
  readonly skipInvalidRules: boolean;
  /** HTTP rules that replace annotations, and mixin services. */
  readonly serviceConfig?: ServiceConfigFile | undefined;
}

const howToMake = "create it with `buf build -o FILE` or `protoc --include_imports --descriptor_set_out=FILE …`";

/**
 * Reads descriptor sets, binary or gzipped, and merges them: a file that occurs in several must be identical. Rules in
 * another gateway's dialect are skipped, because the API works without them and may be maintained elsewhere.
 *
 * @throws ProgramError that names the file and says what to do.
 */
export function readApi(
  paths: readonly string[],
  { skipInvalidRules, serviceConfig, extendedTemplates }: ReadOptions,
): Api {
  const merged = merge(paths);
  const places = serviceConfig === undefined ? undefined : applyServiceConfig(merged, serviceConfig);
  const files = inOrder(merged, paths);
  const registry = build(files, paths);
  const invalid = findInvalidRules(registry, { extendedTemplates });
  if (invalid.length === 0) return { registry, skipped: [] };
  const wrong = invalid.filter(({ foreign }) => !foreign);
  if (wrong.length > 0 && !skipInvalidRules) {
    const placeOf = (method: string): string => (places?.has(method) === true ? `${places.get(method)}: ` : "");
    const list = wrong.map(({ message, method }) => `\n  ${placeOf(method)}${message}`).join("");
    throw new ProgramError(
      `${paths.join(", ")}: ${wrong.length} HTTP ${wrong.length === 1 ? "rule" : "rules"} cannot be served:${list}\n` +
        "Correct them, or skip them with --skip-invalid-rules.",
    );
  }
  removeRules(files, invalid);
  return { registry: build(files, paths), skipped: invalid };
}

function readFiles(path: string): FileDescriptorProto[] {
  let bytes = readNamedFile(path, path, `; ${howToMake}`);
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = gunzipSync(bytes);
    } catch {
      throw new ProgramError(`${path}: it is not valid gzip; ${howToMake}`);
    }
  }
  if (bytes.length === 0) throw new ProgramError(`${path}: the file is empty; ${howToMake}`);
  let files: FileDescriptorProto[] = [];
  try {
    files = fromBinary(FileDescriptorSetSchema, bytes).file;
  } catch {
    // The checks below identify what the file is instead of a descriptor set.
  }
  if (files.length > 0 && files.every(({ name }) => name !== "")) return files;
  const text = bytes.toString("latin1", 0, 4096);
  if (/^\s*\{/.test(text)) {
    throw new ProgramError(`${path}: it is JSON; expected the binary format: \`buf build -o api.binpb\``);
  }
  if (/^\s*(\/\/|\/\*|syntax\s*=|edition\s*=|package\s)/.test(text)) {
    throw new ProgramError(`${path}: it is a .proto file, not a descriptor set; ${howToMake}`);
  }
  throw new ProgramError(`${path}: it is not a descriptor set; ${howToMake}`);
}

function merge(paths: readonly string[]): Map<string, FileDescriptorProto> {
  const files = new Map<string, FileDescriptorProto>();
  for (const path of paths) {
    for (const file of readFiles(path)) {
      const known = files.get(file.name);
      if (known !== undefined && !isSame(known, file)) {
        throw new ProgramError(`${path}: ${file.name} differs from the file of that name in another descriptor set`);
      }
      files.set(file.name, known ?? file);
    }
  }
  return files;
}

/** Compares files without what compilers emit at their discretion: comments, and extensions of the set's own format. */
function isSame(left: FileDescriptorProto, right: FileDescriptorProto): boolean {
  const bytes = (file: FileDescriptorProto): Uint8Array => {
    const bare = clone(FileDescriptorProtoSchema, file);
    delete bare.sourceCodeInfo;
    delete bare.$unknown;
    return toBinary(FileDescriptorProtoSchema, bare);
  };
  return Buffer.compare(bytes(left), bytes(right)) === 0;
}

/** Orders the files so that imports precede the files that import them. */
function inOrder(files: ReadonlyMap<string, FileDescriptorProto>, paths: readonly string[]): FileDescriptorProto[] {
  const ordered = new Set<FileDescriptorProto>();
  const missing = new Map<string, string>();
  const visit = (file: FileDescriptorProto, importers: ReadonlySet<string>): void => {
    if (ordered.has(file) || importers.has(file.name)) return;
    const inner = new Set([...importers, file.name]);
    for (const name of file.dependency) {
      const dependency = files.get(name);
      if (dependency === undefined) missing.set(name, missing.get(name) ?? file.name);
      else visit(dependency, inner);
    }
    ordered.add(file);
  };
  for (const file of files.values()) visit(file, new Set());
  if (missing.size > 0) {
    const list = [...missing].map(([name, importer]) => `\n  ${name}, imported by ${importer}`).join("");
    throw new ProgramError(
      `${paths.join(", ")}: imports are missing; protoc includes them with --include_imports, buf without --exclude-imports:${list}`,
    );
  }
  return [...ordered];
}

function build(file: FileDescriptorProto[], paths: readonly string[]): FileRegistry {
  let registry: FileRegistry;
  try {
    registry = createFileRegistry(create(FileDescriptorSetSchema, { file }));
  } catch (error) {
    throw new ProgramError(`${paths.join(", ")}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (![...registry].some((type) => type.kind === "service")) {
    throw new ProgramError(`${paths.join(", ")}: it contains no service`);
  }
  return registry;
}
