import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { isMap, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { type HttpRule, HttpRuleSchema } from "../../gen/google/api/http_pb.js";

/** An HTTP rule of a service configuration, with its location. */
export interface SelectedRule {
  /** A method, `package.Service.Method`, or everything below a name: `package.Service.*`. */
  readonly selector: string;
  readonly line: number;
  readonly rule: HttpRule;
}

/** An interface listed by a service configuration. */
export interface ConfiguredApi {
  /** `package.Service`. */
  readonly name: string;
  readonly line: number;
}

/** The HTTP-related part of a service configuration (google.api.Service). */
export interface ServiceConfig {
  readonly apis: readonly ConfiguredApi[];
  readonly rules: readonly SelectedRule[];
  /** Multi-segment variables are fully decoded, `%2F` included. */
  readonly fullyDecodeReservedExpansion: boolean;
}

/** All violations of a service configuration, each with its line and selector. */
export class ServiceConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.name = "ServiceConfigError";
    this.problems = problems;
  }
}

/**
 * Parses a service configuration, YAML or JSON: `apis` with their mixins, and `http` with its rules by selector. All
 * other sections are ignored.
 *
 * @throws ServiceConfigError
 */
export function readServiceConfig(text: string): ServiceConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [syntax] = document.errors;
  if (syntax !== undefined) {
    throw new ServiceConfigError([`line ${syntax.linePos?.[0].line ?? 1}: ${syntax.message.split("\n", 1)[0]}`]);
  }
  const problems: string[] = [];
  const lineOf = (node: unknown): number => lines.linePos((node as Node | undefined)?.range?.[0] ?? 0).line;
  const nodeAt = (path: readonly unknown[]): unknown => document.getIn(path, true);

  const listAt = (path: readonly string[]): readonly unknown[] => {
    const node = nodeAt(path);
    if (node === undefined) return [];
    if (isSeq(node)) return node.items;
    problems.push(`line ${lineOf(node)}: ${path.join(".")} is not a list`);
    return [];
  };

  const nameOf = (item: unknown, what: string): ConfiguredApi | undefined => {
    const line = lineOf(item);
    const name: unknown = isMap(item) ? item.get("name") : undefined;
    if (typeof name === "string" && name !== "") return { name, line };
    problems.push(`line ${line}: ${what} has no name`);
    return undefined;
  };

  const apis = listAt(["apis"]).flatMap((item, index) => {
    const mixins = listAt(["apis", String(index), "mixins"]).map((mixin) => {
      if (isMap(mixin) && mixin.has("root")) problems.push(`line ${lineOf(mixin)}: root of a mixin is not supported`);
      return nameOf(mixin, "the mixin");
    });
    return [nameOf(item, "the API"), ...mixins].filter((api) => api !== undefined);
  });

  const rules = listAt(["http", "rules"]).flatMap((item): SelectedRule[] => {
    const line = lineOf(item);
    if (!isMap(item)) {
      problems.push(`line ${line}: the HTTP rule is not an object`);
      return [];
    }
    const selector: unknown = item.get("selector");
    if (typeof selector !== "string" || !/^\w+(\.\w+)*(\.\*)?$/.test(selector)) {
      const shown = selector === undefined ? "is missing" : `${JSON.stringify(selector)} is not the name of a method`;
      problems.push(`line ${line}: the selector ${shown}`);
      return [];
    }
    try {
      return [{ selector, line, rule: fromJson(HttpRuleSchema, item.toJS(document) as JsonValue) }];
    } catch (error) {
      problems.push(`line ${line}, selector ${selector}: ${reasonOf(error)}`);
      return [];
    }
  });

  const decode =
    nodeAt(["http", "fully_decode_reserved_expansion"]) ?? nodeAt(["http", "fullyDecodeReservedExpansion"]);
  const fullyDecode = decode === undefined ? false : (decode as { value?: unknown }).value;
  if (typeof fullyDecode !== "boolean") {
    problems.push(`line ${lineOf(decode)}: http.fully_decode_reserved_expansion is true or false`);
  }
  if (nodeAt(["http"]) === undefined && nodeAt(["apis"]) === undefined) {
    problems.push("line 1: there is neither http nor apis; is it a service configuration?");
  }
  if (problems.length > 0) throw new ServiceConfigError(problems);
  return { apis, rules, fullyDecodeReservedExpansion: fullyDecode === true };
}

/** The rule of a method, `package.Service.Method`: the last one that selects it. */
export function ruleFor(config: ServiceConfig | undefined, method: string): SelectedRule | undefined {
  return config?.rules.findLast(({ selector }) => selects(selector, method));
}

/** Describes the rules that select none of the methods. */
export function unusedRules(config: ServiceConfig, methods: readonly string[]): string[] {
  return config.rules
    .filter(({ selector }) => !methods.some((method) => selects(selector, method)))
    .map(({ line, selector }) => `line ${line}, selector ${selector}: there is no such method`);
}

function selects(selector: string, method: string): boolean {
  return selector.endsWith(".*") ? method.startsWith(selector.slice(0, -1)) : selector === method;
}

/** The reason of an error from `fromJson`, without its type names. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^cannot decode .*? from JSON: /, "");
}
