import { type DescEnum, type DescFile, type DescMessage, getOption, hasOption } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { resource, resource_definition } from "../../gen/google/api/resource_pb.js";
import type { PathVariable, Route } from "../routing/http-rules.ts";
import { segmentRange } from "../routing/template-parser.ts";

/** A parameter of an OpenAPI path: its name and the template variable that it is part of, if any. */
export interface PathParameter {
  readonly name: string;
  readonly variable: PathVariable | undefined;
  /** The variable's whole text, with this parameter and its others: `orders/{order}`. */
  readonly pattern: string;
  /** True if it matches several segments (`**`). */
  readonly open: boolean;
}

/** A template as an OpenAPI path. */
export interface OpenApiPath {
  readonly path: string;
  readonly parameters: readonly PathParameter[];
  /** True if the last variable is omitted because it matched no segment. */
  readonly isShortened: boolean;
}

/** All `google.api.resource` patterns of the files, split at their slashes. */
export function resourcePatterns(files: Iterable<DescFile>): string[][] {
  const patterns: string[][] = [];
  for (const file of files) {
    if (hasOption(file, resource_definition)) {
      for (const definition of getOption(file, resource_definition)) patterns.push(...split(definition.pattern));
    }
    for (const type of nestedTypes(file)) {
      if (type.kind === "message" && hasOption(type, resource))
        patterns.push(...split(getOption(type, resource).pattern));
    }
  }
  return patterns;
}

function split(patterns: readonly string[]): string[][] {
  return patterns.map((pattern) => pattern.split("/"));
}

/**
 * The paths of a route: one, and a second without the variable if that is `**`, because it may match no segment while
 * an OpenAPI parameter may not be empty.
 */
export function openApiPaths(route: Route, patterns: readonly string[][]): OpenApiPath[] {
  const whole = openApiPath(route, patterns);
  const last = whole.parameters.at(-1);
  if (last?.open !== true) return [whole];
  const parameters = whole.parameters.slice(0, -1);
  const path = whole.path.replace(`/{${last.name}}`, "");
  return path === "" || path.startsWith(":") ? [whole] : [whole, { path, parameters, isShortened: true }];
}

/**
 * Writes a template as an OpenAPI path, which supports only whole-segment parameters: `/v1/{name=orders/*}:cancel` →
 * `/v1/orders/{order}:cancel`. Names come from the resource patterns, or else from the preceding literal.
 */
function openApiPath(route: Route, patterns: readonly string[][]): OpenApiPath {
  const parameters: PathParameter[] = [];
  const texts: string[] = [];
  const { segments, verb } = route.template;
  const used = new Set<string>();
  for (const [index, segment] of segments.entries()) {
    if (segment.kind === "literal") {
      texts.push(encodeURIComponent(segment.text));
      continue;
    }
    const variable = route.variables.find((each) => {
      const [start, end] = segmentRange(each, segments.length);
      return start <= index && index < end;
    });
    if (variable === undefined) {
      const name = unique("segment", used);
      texts.push(`{${name}}`);
      parameters.push({ name, variable, pattern: "", open: segment.kind === "**" });
      continue;
    }
    const [start, end] = segmentRange(variable, segments.length);
    const whole = end === start + 1;
    const name = unique(whole ? variable.path.name : nameOf(route, variable, index, patterns), used);
    texts.push(`{${name}}`);
    parameters.push({ name, variable, pattern: "", open: segment.kind === "**" });
  }
  const path = `/${texts.join("/")}${verb === "" ? "" : `:${verb}`}`;
  return {
    path,
    isShortened: false,
    parameters: parameters.map((parameter) => {
      if (parameter.variable === undefined) return { ...parameter, pattern: `{${parameter.name}}` };
      const [start, end] = segmentRange(parameter.variable, segments.length);
      return { ...parameter, pattern: texts.slice(start, end).join("/") };
    }),
  };
}

/**
 * Renames parameters like those of the first path, because OpenAPI does not allow two paths that differ only in
 * parameter names.
 */
export function renamedLike(path: OpenApiPath, first: OpenApiPath): OpenApiPath {
  const names = new Map(path.parameters.map(({ name }, index) => [name, first.parameters[index]?.name ?? name]));
  const renamed = (text: string): string => text.replace(/\{([^}]*)\}/g, (_, name) => `{${names.get(name) ?? name}}`);
  return {
    ...path,
    path: first.path,
    parameters: path.parameters.map((parameter) => ({
      ...parameter,
      name: names.get(parameter.name) ?? parameter.name,
      pattern: renamed(parameter.pattern),
    })),
  };
}

function nameOf(route: Route, variable: PathVariable, index: number, patterns: readonly string[][]): string {
  const { segments } = route.template;
  const [start, end] = segmentRange(variable, segments.length);
  const pattern = patterns.find(
    (each) =>
      each.length === end - start &&
      each.every((text, at) => {
        const segment = segments[start + at];
        return segment?.kind === "literal" ? segment.text === text : text.startsWith("{");
      }),
  );
  const named = /^\{([^=}]+)/.exec(pattern?.[index - start] ?? "")?.[1];
  if (named !== undefined) return named;
  const before = segments[index - 1];
  return before?.kind === "literal" ? singular(before.text) : variable.path.name;
}

/** English plurals identical to their singular. */
const unchanged = /(series|species|news)$/;
/** Words in `-ie` and words whose singular ends in a single s, which their plurals do not show. */
const withIe = /(movie|cookie|calorie|zombie|selfie|pixie)s$/;
const withEs =
  /(ss|x|zz|sh|tch|[nr]ch|[oe]ach|alias|bias|bonus|bus|campus|canvas|census|focus|gas|lens|status|virus)es$/;

function singular(plural: string): string {
  if (unchanged.test(plural)) return plural;
  if (plural.endsWith("ies") && !withIe.test(plural)) return `${plural.slice(0, -3)}y`;
  if (withEs.test(plural)) return plural.slice(0, -2);
  return plural.endsWith("s") && !plural.endsWith("ss") ? plural.slice(0, -1) : `${plural}_id`;
}

function unique(name: string, used: Set<string>): string {
  let candidate = name;
  for (let at = 2; used.has(candidate); at += 1) candidate = `${name}_${at}`;
  used.add(candidate);
  return candidate;
}

/** Creates the names for `components.schemas`: short if unambiguous among all types, else prefixed with the package. */
export function createTypeNames(files: Iterable<DescFile>): (type: DescMessage | DescEnum) => string {
  const byShort = new Map<string, Set<string>>();
  for (const file of files) {
    for (const type of nestedTypes(file)) {
      if (type.kind !== "message" && type.kind !== "enum") continue;
      const short = shortName(type);
      let types = byShort.get(short);
      if (types === undefined) {
        types = new Set();
        byShort.set(short, types);
      }
      types.add(type.typeName);
    }
  }
  return (type) => {
    const short = shortName(type);
    if ((byShort.get(short)?.size ?? 0) < 2) return short;
    return type.typeName
      .split(".")
      .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
      .join("");
  };
}

function shortName(type: DescMessage | DescEnum): string {
  const prefix = type.file.proto.package === "" ? "" : `${type.file.proto.package}.`;
  return type.typeName.slice(prefix.length).replaceAll(".", "");
}
