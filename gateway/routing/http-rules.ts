import { type DescField, type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { http } from "../../gen/google/api/annotations_pb.js";
import type { HttpRule } from "../../gen/google/api/http_pb.js";
import { type FieldPath, isFieldPath, resolveFieldPath } from "../fields/field-path.ts";
import { anyMethod, createTrie, type Trie } from "./route-trie.ts";
import { ruleFor, type ServiceConfig } from "./service-config.ts";
import { TemplateError } from "./template-lexer.ts";
import { parseTemplate, type Template, type TemplateOptions, type Variable } from "./template-parser.ts";

/** One binding of a method to HTTP. */
export interface Route {
  readonly method: DescMethod;
  /** GET, POST, …, or `*` for a custom kind that accepts any method. */
  readonly httpMethod: string;
  readonly template: Template;
  readonly variables: readonly PathVariable[];
  /** `none`: no body. `all`: the request message. Otherwise the field that the body maps to. */
  readonly body: "none" | "all" | DescField;
  /** The response field that becomes the response body; undefined for the whole message. */
  readonly responseBody: DescField | undefined;
  /** Line of the rule in the service configuration, if it is from there. */
  readonly line?: number;
}

/** The source of the rules, and the accepted template syntax. */
export interface RouteOptions extends TemplateOptions {
  readonly serviceConfig?: ServiceConfig | undefined;
}

/** A variable of the template and the field that it sets. */
export interface PathVariable extends Variable {
  readonly path: FieldPath;
}

/** An annotation that cannot be served, with its method. */
export class RouteError extends Error {
  readonly method: DescMethod;

  constructor(method: DescMethod, reason: string, cause?: unknown) {
    super(`${method.parent.typeName}.${method.name}: ${reason}`, { cause });
    this.name = "RouteError";
    this.method = method;
  }
}

/**
 * A rule that http.proto forbids but other gateways serve: a variable on a repeated field, or a body that is a nested
 * field.
 */
export class ForeignRuleError extends RouteError {}

/**
 * The routes of a method: its rule in the service configuration, or else its `google.api.http` rule, with the
 * additional bindings. Empty if it has neither.
 *
 * @throws RouteError for an invalid template, variable, body or response body.
 */
export function routesOf(method: DescMethod, options: RouteOptions = {}): Route[] {
  const selected = ruleFor(options.serviceConfig, `${method.parent.typeName}.${method.name}`);
  if (selected === undefined)
    return hasOption(method, http) ? compileRules(method, getOption(method, http), options) : [];
  const { rule, line } = selected;
  try {
    return compileRules(method, rule, options).map((route) => ({ ...route, line }));
  } catch (error) {
    if (error instanceof RouteError) error.message += placeOf(line);
    throw error;
  }
}

function compileRules(method: DescMethod, rule: HttpRule, options: TemplateOptions): Route[] {
  const routes = [compileRule(method, rule, options)];
  for (const additional of rule.additionalBindings) {
    if (additional.additionalBindings.length > 0) {
      throw new RouteError(method, "additional_bindings cannot be nested");
    }
    routes.push(compileRule(method, additional, options));
  }
  return routes;
}

function placeOf(line: number | undefined): string {
  return line === undefined ? "" : ` (line ${line} of the service configuration)`;
}

/**
 * Builds a trie of the routes of all methods.
 *
 * @throws RouteError if two of them match the same requests with equal rank.
 */
export function createRouter<T extends Route>(routes: Iterable<T>): Trie<T> {
  const trie = createTrie<T>();
  for (const route of routes) {
    try {
      trie.insert(route.httpMethod, route.template, route);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new RouteError(route.method, reason + placeOf(route.line), error);
    }
  }
  return trie;
}

/** The route of a single rule, without its additional bindings. @throws RouteError for an invalid rule. */
export function compileRule(method: DescMethod, rule: HttpRule, options: TemplateOptions = {}): Route {
  const { httpMethod, path } = patternOf(method, rule);
  let template: Template;
  try {
    template = parseTemplate(path, options);
  } catch (error) {
    if (error instanceof TemplateError) throw new RouteError(method, error.message, error);
    throw error;
  }
  return {
    method,
    httpMethod,
    template,
    variables: template.variables.map((variable) => compileVariable(method, template, variable)),
    body: compileBody(method, rule.body),
    responseBody: compileResponseBody(method, rule.responseBody),
  };
}

function patternOf(method: DescMethod, rule: HttpRule): { httpMethod: string; path: string } {
  const { pattern } = rule;
  switch (pattern.case) {
    case "get":
    case "put":
    case "post":
    case "delete":
    case "patch":
      return { httpMethod: pattern.case.toUpperCase(), path: pattern.value };
    case "custom": {
      const { kind, path } = pattern.value;
      if (kind !== anyMethod && !/^[A-Za-z]+$/.test(kind)) {
        throw new RouteError(method, `"${kind}" is not an HTTP method`);
      }
      return { httpMethod: kind.toUpperCase(), path };
    }
    case undefined:
      throw new RouteError(method, "the http rule has no pattern");
    default:
      return pattern satisfies never;
  }
}

function compileVariable(method: DescMethod, template: Template, variable: Variable): PathVariable {
  const found = resolveFieldPath(method.input, variable.fieldPath);
  const fail = (reason: string, error = RouteError): RouteError =>
    new error(method, new TemplateError(template.source, variable.column, reason).message);
  if (!isFieldPath(found)) throw fail(found.description);
  switch (found.leaf.fieldKind) {
    case "list":
      throw fail(`variable "${found.name}" is a repeated field`, ForeignRuleError);
    case "map":
      throw fail(`variable "${found.name}" is a repeated field`);
    case "message":
      throw fail(`variable "${found.name}" is a message field`);
    default:
      return { ...variable, path: found };
  }
}

function compileBody(method: DescMethod, body: string): Route["body"] {
  if (body === "") return "none";
  if (body === "*") return "all";
  const field = method.input.fields.find((candidate) => candidate.name === body);
  if (field === undefined) {
    const reason = `body "${body}" is not a field of ${method.input.typeName}`;
    const isInside = isFieldPath(resolveFieldPath(method.input, body.split(".")));
    throw isInside ? new ForeignRuleError(method, reason) : new RouteError(method, reason);
  }
  return field;
}

function compileResponseBody(method: DescMethod, name: string): DescField | undefined {
  if (name === "") return undefined;
  const field = method.output.fields.find((candidate) => candidate.name === name);
  if (field === undefined) {
    throw new RouteError(method, `response_body "${name}" is not a field of ${method.output.typeName}`);
  }
  return field;
}
