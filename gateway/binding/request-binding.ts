import { create, type DescField, type JsonValue, type Message } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence, FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { HttpBodySchema } from "../../gen/google/api/httpbody_pb.js";
import { ElementLimitError } from "../codec/element-limit.ts";
import type { JsonCodec } from "../codec/json-codec.ts";
import { invalidRequest, type Violation } from "../errors.ts";
import { hasDuplicateKeys } from "../fields/duplicate-keys.ts";
import { maskFieldOf, pathsOf } from "../fields/field-mask.ts";
import { containerOf, type Fields, jsonNameOf, setFromJson, valueAt } from "../fields/field-path.ts";
import { explainJson, jsonReason } from "../fields/json-violations.ts";
import { decodeQuery, decodeSegment, decodeSegments, decodeSegmentsFully } from "../fields/percent-encoding.ts";
import { parseText } from "../fields/scalar-text.ts";
import { hasLoneSurrogate } from "../fields/unicode.ts";
import type { PathVariable, Route } from "../routing/http-rules.ts";
import { segmentRange } from "../routing/template-parser.ts";
import { bindForm, type FormPart } from "./form-data.ts";
import { bindQuery, type QueryRules } from "./query-string.ts";

/** The request body as required by a route: JSON text, bytes with their content type, or nothing. */
export type RequestBody =
  | { readonly kind: "json"; readonly text: string }
  | { readonly kind: "raw"; readonly contentType: string; readonly data: Uint8Array }
  | { readonly kind: "form"; readonly parts: readonly FormPart[] }
  | { readonly kind: "none" };

/** The inputs of one request. `segments` holds the raw path segments of the match. */
export interface BindingInput {
  readonly segments: readonly string[];
  readonly rawQuery: string;
  readonly body: RequestBody;
}

/** Builds request messages for one route. */
export interface Binding {
  /** True if the body is the bytes of a google.api.HttpBody: the request itself or its body field. */
  readonly rawBody: boolean;
  /** @throws ConnectError INVALID_ARGUMENT with all violations found. */
  bind(input: BindingInput): Message;
}

/** Strictness of a binding. */
export interface BindingOptions {
  /** Drops unknown query parameters and JSON fields. */
  readonly lenient: boolean;
  /** Query parameters that are dropped when they name no field, such as `$alt` or `key`. */
  readonly queryParameters?: readonly string[] | undefined;
  /** Decodes `%2F` in variables of several segments. */
  readonly fullyDecodeReservedExpansion?: boolean | undefined;
}

/** Creates the binding of a route. */
export function createBinding(route: Route, codec: JsonCodec, options: BindingOptions): Binding {
  const { input } = route.method;
  const bodyField = typeof route.body === "object" ? route.body : undefined;
  const bodyMessage = route.body === "all" ? input : bodyField?.fieldKind === "message" ? bodyField.message : undefined;
  const rawBody = bodyMessage?.typeName === HttpBodySchema.typeName;
  const maskField = route.httpMethod === "PATCH" && bodyField !== undefined ? maskFieldOf(input) : undefined;
  const allowed = new Set(options.queryParameters);
  const decodeMulti = options.fullyDecodeReservedExpansion === true ? decodeSegmentsFully : decodeSegments;
  const rules: QueryRules = {
    root: input,
    bound: [...route.variables.map((variable) => variable.path.name), ...(bodyField ? [bodyField.name] : [])],
    resource: bodyField?.message,
    ignoreUnknown: options.lenient,
    allowed,
  };

  const readBody = (body: RequestBody): { message: Message; json: JsonValue | undefined } => {
    if (body.kind === "none" || route.body === "none") return { message: create(input), json: undefined };
    if (body.kind === "raw") {
      const httpBody = create(HttpBodySchema, { contentType: body.contentType, data: body.data });
      if (bodyField === undefined) return { message: httpBody, json: undefined };
      return { message: withField(create(input), bodyField, httpBody), json: undefined };
    }
    if (body.kind === "form") {
      if (bodyMessage === undefined) {
        throw invalidRequest([{ field: "", description: "the body cannot be sent as a form" }]);
      }
      const sent = bindForm(bodyMessage, body.parts, options.lenient);
      return { message: bodyField === undefined ? sent : withField(create(input), bodyField, sent), json: undefined };
    }
    const json = parseJson(codec, body.text);
    const whole: JsonValue = bodyField === undefined ? json : { [bodyField.jsonName]: json };
    try {
      if (hasDuplicateKeys(body.text, json)) throw new Error("an object has a key twice");
      if (hasLoneSurrogate(body.text, json)) throw new Error("a string holds half a surrogate pair");
      return { message: codec.read(input, whole), json };
    } catch (error) {
      const explained = explainJson(input, whole, { registry: codec.registry, ignoreUnknownFields: options.lenient });
      const isExplained = explained.some((violation) => violation.description !== "is not valid");
      throw invalidRequest(
        isExplained
          ? explained.map((violation) => ({ ...violation, field: withinBody(violation.field, bodyField) }))
          : [{ field: "", description: jsonReason(error) }],
      );
    }
  };

  return {
    rawBody,
    bind({ segments, rawQuery, body }) {
      const { message, json } = readBody(body);
      const violations: Violation[] = [];
      for (const variable of route.variables) {
        const violation = bindVariable(message, variable, segments, body.kind !== "none", decodeMulti);
        if (violation !== undefined) violations.push(violation);
      }
      if (route.body !== "all") violations.push(...bindQuery(message, rawQuery, rules));
      else if (rawQuery !== "" && !options.lenient) {
        violations.push(...refuseQuery(rawQuery, allowed));
      }
      if (violations.length > 0) throw invalidRequest(violations);
      if (maskField !== undefined && bodyField?.message !== undefined) {
        const fields = message as unknown as Fields;
        if (fields[maskField.localName] === undefined) {
          setMask(message, maskField, pathsOf(bodyField.message, json ?? {}));
        }
      }
      return message;
    },
  };
}

/** The path of a field relative to the body field. */
function withinBody(path: string, bodyField: DescField | undefined): string {
  if (bodyField === undefined || !path.startsWith(bodyField.jsonName)) return path;
  return path.slice(bodyField.jsonName.length).replace(/^\./, "");
}

function parseJson(codec: JsonCodec, text: string): JsonValue {
  try {
    return codec.parse(text);
  } catch (error) {
    if (error instanceof ElementLimitError) throw error;
    throw invalidRequest([{ field: "", description: "the body is not valid JSON" }], "MALFORMED_JSON");
  }
}

function bindVariable(
  message: Message,
  variable: PathVariable,
  segments: readonly string[],
  hasBody: boolean,
  decodeMulti: (raw: string) => string,
): Violation | undefined {
  const { path } = variable;
  const fail = (description: string): Violation => ({ field: jsonNameOf(path), description });
  const [start, end] = segmentRange(variable, segments.length);
  let text: string;
  try {
    text = variable.multi ? decodeMulti(segments.slice(start, end).join("/")) : decodeSegment(segments[start] ?? "");
  } catch {
    return fail("malformed percent-encoding");
  }
  const value = parseText(path.leaf, text);
  if ("description" in value) return fail(value.description);

  const before = hasBody ? valueAt(message, path) : undefined;
  const found = containerOf(message, path);
  if ("oneof" in found) return fail(`the oneof "${found.oneof}" is already set by "${found.held}"`);
  try {
    setFromJson(found.container, path.leaf, value.json);
  } catch (error) {
    return fail(jsonReason(error));
  }
  if (before === undefined || isDefault(path.leaf, before)) return undefined;
  return sameValue(before, valueAt(message, path)) ? undefined : fail("the body and the path do not agree");
}

/** An absent field without presence is indistinguishable from one that holds its default. */
function isDefault(field: DescField, value: unknown): boolean {
  if (field.presence !== FeatureSet_FieldPresence.IMPLICIT) return false;
  if (value instanceof Uint8Array) return value.length === 0;
  return value === "" || value === 0 || value === 0n || value === "0" || value === false;
}

function sameValue(left: unknown, right: unknown): boolean {
  if (left instanceof Uint8Array && right instanceof Uint8Array) return Buffer.compare(left, right) === 0;
  return Object.is(left, right);
}

function withField(message: Message, field: DescField, value: Message): Message {
  const fields = message as unknown as Fields;
  if (field.oneof === undefined) fields[field.localName] = value;
  else fields[field.oneof.localName] = { case: field.localName, value };
  return message;
}

function refuseQuery(rawQuery: string, allowed: ReadonlySet<string>): Violation[] {
  return rawQuery
    .split("&")
    .filter((pair) => pair !== "" && !allowed.has(nameOf(pair)))
    .map((pair) => ({
      field: pair.split("=", 1)[0] ?? "",
      description: "the body is the whole request: no query parameters",
    }));
}

function nameOf(pair: string): string {
  const name = pair.split("=", 1)[0] ?? "";
  try {
    return decodeQuery(name);
  } catch {
    return name;
  }
}

function setMask(message: Message, field: DescField, paths: string[]): void {
  (message as unknown as Fields)[field.localName] = create(FieldMaskSchema, { paths });
}
