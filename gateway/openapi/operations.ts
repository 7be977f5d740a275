import { type DescField, type DescMessage, type JsonObject, ScalarType } from "@bufbuild/protobuf";
import { FieldBehavior } from "../../gen/google/api/field_behavior_pb.js";
import { HttpBodySchema } from "../../gen/google/api/httpbody_pb.js";
import { hasJsonForm } from "../fields/field-path.ts";
import { etagPathOf } from "../rest/conditional-requests.ts";
import { resumeField } from "../rest/resume-token.ts";
import type { Route } from "../routing/http-rules.ts";
import { exampleOf, exampleOfField } from "./examples.ts";
import type { PathParameter } from "./names.ts";
import { arrayOf, example, hasEtag, type OperationInput, plain } from "./operation-parts.ts";
import { responses } from "./responses.ts";
import { behaviorsOf, commentOf, isRequired } from "./schemas.ts";

/** The OpenAPI operation of one binding of a method. */
export function operationOf(input: OperationInput): JsonObject {
  const { route, access } = input;
  const { method } = route;
  const comment = commentOf(method);
  const [sentence = ""] = comment.split(/(?<=[.:])\s|\n\n/, 1);
  // Viewers show a summary as plain text.
  const summary = (sentence || method.name).replaceAll("\n", " ").replaceAll("`", "").replace(/[.:]$/, "");
  const operation: JsonObject = {
    operationId: input.operationId,
    tags: [input.tag],
    summary: input.unimplemented ? `${summary} (not implemented yet)` : summary,
  };
  const notes = streamNote(route);
  const missing = input.unimplemented ? "**Not implemented yet: answers UNIMPLEMENTED (501).**" : "";
  const description = [missing, comment, notes].filter((text) => text !== "").join("\n\n");
  if (description !== "") operation["description"] = description;
  if (input.unimplemented) operation["x-unimplemented"] = true;
  if (method.deprecated) operation["deprecated"] = true;
  const parameters = [...pathParameters(input), ...queryParameters(input), ...headerParameters(route)];
  if (parameters.length > 0) operation["parameters"] = parameters;
  const body = requestBody(input);
  if (body !== undefined) operation["requestBody"] = body;
  operation["responses"] = responses(input);
  if (access !== undefined) {
    operation["security"] = access.open
      ? []
      : input.securitySchemes.flatMap((scheme) =>
          access.scopes.length === 0 ? [{ [scheme]: [] }] : access.scopes.map((scope) => ({ [scheme]: [scope] })),
        );
  }
  return operation;
}

function streamNote({ method, httpMethod }: Route): string {
  switch (method.methodKind) {
    case "server_streaming":
      return method.output.typeName === HttpBodySchema.typeName
        ? "The answer is streamed."
        : 'Streams its answer: `Accept: text/event-stream` for server-sent events, `application/x-ndjson` (the default) for one JSON object a line, `application/json` for one array. An error in mid-stream is the last element, `{"error": Status}`.';
    case "client_streaming":
      return "The request body is streamed.";
    case "bidi_streaming":
      return httpMethod === "GET"
        ? "Both ways at once over a WebSocket: one JSON object a message."
        : "Both ways at once: requests as JSON one after another, answers as `Accept` chooses. Also over a WebSocket at this path: one JSON object a message.";
    default:
      return "";
  }
}

function pathParameters({ path, schemas }: OperationInput): JsonObject[] {
  return path.parameters.map((parameter) => ({
    name: parameter.name,
    in: "path",
    required: true,
    ...(parameter.open ? { "x-multi-segment": true } : {}),
    ...described(pathDescription(parameter)),
    schema:
      parameter.variable !== undefined && isWhole(parameter) && !parameter.open
        ? plain(schemas.field(parameter.variable.path.leaf))
        : segmentSchema(parameter),
  }));
}

function isWhole({ pattern, name }: PathParameter): boolean {
  return pattern === `{${name}}`;
}

function pathDescription(parameter: PathParameter): string {
  if (parameter.variable === undefined) return parameter.open ? "May hold slashes." : "";
  const comment = commentOf(parameter.variable.path.leaf);
  if (isWhole(parameter)) return parameter.open ? `${comment} May hold slashes.`.trim() : comment;
  return `The part \`{${parameter.name}}\` of \`${parameter.variable.path.name}\`, which is \`${parameter.pattern}\`.`;
}

function segmentSchema(parameter: PathParameter): JsonObject {
  return parameter.open ? { type: "string" } : { type: "string", minLength: 1, pattern: "^[^/]+$" };
}

function described(description: string): JsonObject {
  return description === "" ? {} : { description };
}

function queryParameters({ route, schemas }: OperationInput): JsonObject[] {
  if (route.body === "all" || route.method.methodKind === "client_streaming") return [];
  const bound = new Set(route.variables.map((variable) => variable.path.name));
  if (typeof route.body === "object") bound.add(route.body.name);
  const parameters: JsonObject[] = [];
  // A recursive message is shown once; otherwise the parameters would be infinite.
  const visit = (
    message: DescMessage,
    names: readonly string[],
    jsonNames: readonly string[],
    around: Set<DescMessage>,
  ) => {
    for (const field of message.fields) {
      const path = [...names, field.name];
      const name = [...jsonNames, field.jsonName].join(".");
      if (bound.has(path.join(".")) || behaviorsOf(field).includes(FieldBehavior.OUTPUT_ONLY)) continue;
      const plainMessage = field.message !== undefined && !hasJsonForm(field.message);
      if (plainMessage) {
        const isNew = path.length < 4 && !around.has(field.message);
        if (field.fieldKind === "message" && isNew) {
          visit(field.message, path, [...jsonNames, field.jsonName], new Set([...around, field.message]));
        }
        continue;
      }
      if (field.message?.typeName === "google.protobuf.Any") continue;
      parameters.push({
        name,
        in: "query",
        ...described(commentOf(field)),
        ...(isRequired(field) && names.length === 0 ? { required: true } : {}),
        ...(field.fieldKind === "map" ? { style: "deepObject", explode: true } : {}),
        ...querySchema(plain(schemas.field(field)), field),
      });
    }
  };
  visit(route.method.input, [], [], new Set([route.method.input]));
  return parameters;
}

/** Struct and Value are JSON text in a query. */
function querySchema(schema: JsonObject, field: DescField): JsonObject {
  const text = /^google\.protobuf\.(Struct|Value|ListValue)$/.test(field.message?.typeName ?? "");
  return text ? { content: { "application/json": { schema } } } : { schema };
}

function headerParameters(route: Route): JsonObject[] {
  const headers: JsonObject[] = [];
  const header = (name: string, description: string): void => {
    headers.push({ name, in: "header", description, schema: { type: "string" } });
  };
  const { method, httpMethod } = route;
  const field = (name: string): boolean =>
    method.input.fields.some((field) => field.name === name && field.scalar === ScalarType.STRING);
  if (field("request_id")) header("Idempotency-Key", "Makes the request safe to repeat; the same as `requestId`.");
  if (etagPathOf(route) !== undefined && httpMethod !== "GET") {
    header("If-Match", "Refuse with 412 where the resource has changed since it had this entity tag.");
  }
  if (httpMethod === "GET" && method.methodKind === "unary" && hasEtag(method)) {
    header("If-None-Match", "Answer 304 where the resource still has this entity tag.");
  }
  if (method.methodKind === "server_streaming" && field(resumeField)) {
    header("Last-Event-ID", "The id of the last event that was seen; what a browser's EventSource sends.");
  }
  return headers;
}

function requestBody({ route, schemas }: OperationInput): JsonObject | undefined {
  const { body, method } = route;
  if (body === "none") return undefined;
  const mode = route.httpMethod === "PATCH" ? "patch" : "full";
  const message = body === "all" ? method.input : body.message;
  if (message?.typeName === HttpBodySchema.typeName) {
    return { required: true, content: { "*/*": { schema: { type: "string", format: "binary" } } } };
  }
  const use = mode === "patch" ? "patch" : "request";
  if (body !== "all") {
    const schema =
      body.fieldKind === "message" && message !== undefined
        ? schemas.reference(message, mode)
        : plain(schemas.field(body));
    const value =
      body.fieldKind === "message" && !hasJsonForm(body.message)
        ? exampleOf(body.message, use)
        : exampleOfField(body, "request");
    const content = { "application/json": { schema, ...example(value) } };
    return { ...described(commentOf(body)), required: true, content };
  }
  const omit = route.variables
    .filter((variable) => variable.path.fields.length === 1)
    .map((variable) => variable.path.name);
  const schema = schemas.reference(method.input, mode, omit);
  const value = exampleOf(method.input, use, omit);
  if (method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming") {
    return {
      required: true,
      content: { "application/x-ndjson": { schema, ...example(value) }, ...arrayOf(schema, value) },
    };
  }
  return {
    required: method.input.fields.some((field) => !omit.includes(field.name) && isRequired(field)),
    content: { "application/json": { schema, ...example(value) } },
  };
}
