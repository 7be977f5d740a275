import type { DescMethod, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { HttpBodySchema } from "../../gen/google/api/httpbody_pb.js";
import { etagPathOf } from "../rest/conditional-requests.ts";
import { createsResource, mayOnlyValidate } from "../rest/success-status.ts";
import type { Route } from "../routing/http-rules.ts";
import { declaredHeaders, type ErrorResponseName } from "./errors.ts";
import { exampleOfField, exampleOfResponse } from "./examples.ts";
import { arrayOf, example, hasEtag, type OperationInput, plain } from "./operation-parts.ts";
import { nullable } from "./rules/narrow.ts";

/** The `responses` of an operation: its success responses and every error that it is known to return. */
export function responses(input: OperationInput): JsonObject {
  const { route, access } = input;
  const error = (name: ErrorResponseName): JsonObject => ({ $ref: `#/components/responses/${name}` });
  const answers = success(input);
  if (route.httpMethod === "GET" && hasEtag(route.method) && route.method.methodKind === "unary") {
    const description = "Not changed since the entity tag of `If-None-Match`.";
    answers["304"] = { description, headers: declaredHeaders(["ETag"]) };
  }
  answers["400"] = error("BadRequest");
  if (access !== undefined && !access.open) {
    answers["401"] = error("Unauthenticated");
    answers["403"] = error("PermissionDenied");
  }
  if (route.variables.length > 0) answers["404"] = error("NotFound");
  if (!isSafe(route)) answers["409"] = error("Conflict");
  if (!isSafe(route) && etagPathOf(route) !== undefined) answers["412"] = error("PreconditionFailed");
  if (isOverWebSocket(route)) answers["426"] = error("UpgradeRequired");
  answers["429"] = error("TooManyRequests");
  answers["default"] = error("Error");
  return answers;
}

function isSafe(route: Route): boolean {
  return route.httpMethod === "GET" || route.method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
}

/** A bidirectional stream needs a WebSocket if it has no body to read requests from. */
function isOverWebSocket({ httpMethod, method }: Route): boolean {
  return httpMethod === "GET" && method.methodKind === "bidi_streaming";
}

/** The success responses, by status. */
function success({ route, schemas, created: answersCreated }: OperationInput): JsonObject {
  const { method, responseBody } = route;
  if (isOverWebSocket(route)) return { "101": { description: "The WebSocket is open." } };
  const message = responseBody?.fieldKind === "message" ? responseBody.message : method.output;
  const headers = responseBody === undefined && hasEtag(method) ? declaredHeaders(["ETag"]) : {};
  const whole = responseBody === undefined ? schemas.reference(message) : plain(schemas.field(responseBody));
  // An unset message field is null when it is the whole response.
  const schema = responseBody?.fieldKind === "message" ? nullable(whole) : whole;
  const value = responseBody === undefined ? exampleOfResponse(method.output) : exampleOfField(responseBody, "answer");
  const answer = {
    description: "OK.",
    ...(Object.keys(headers).length > 0 ? { headers } : {}),
    content: content(method, message.typeName === HttpBodySchema.typeName, schema, value),
  };
  if (!answersCreated || !createsResource(route)) return { "200": answer };
  const location = { description: "The URL of the new resource.", schema: { type: "string", format: "uri-reference" } };
  const created = { ...answer, description: "Created.", headers: { Location: location, ...headers } };
  return mayOnlyValidate(route)
    ? { "200": { ...answer, description: "Nothing was created: the request was only validated." }, "201": created }
    : { "201": created };
}

function content(method: DescMethod, raw: boolean, schema: JsonObject, value: JsonValue | undefined): JsonObject {
  if (raw) return { "*/*": { schema: { type: "string", format: "binary" } } };
  const isStream = method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming";
  if (!isStream) return { "application/json": { schema, ...example(value) } };
  const element: JsonObject = { anyOf: [schema, { $ref: "#/components/schemas/StreamError" }] };
  const events = value === undefined ? undefined : `data: ${JSON.stringify(value)}\n\nevent: end\ndata: {}\n\n`;
  return {
    "application/x-ndjson": { schema: element, ...example(value) },
    "text/event-stream": {
      schema: { type: "string", description: "Events whose `data` is one message as JSON." },
      ...example(events),
    },
    ...arrayOf(element, value),
  };
}
