import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { codeName } from "../call/code-name.ts";
import type { ErrorFormat } from "../rest/error-body.ts";

interface ErrorResponse {
  readonly description: string;
  readonly code: Code;
  readonly status: number;
  readonly reason: string;
  readonly message: string;
  readonly headers?: readonly (keyof typeof headers)[];
}

const headers = {
  "Retry-After": "Seconds to wait before trying again.",
  "WWW-Authenticate": "How to say who is calling.",
  Upgrade: "The protocol to change to.",
  ETag: "The entity tag of the resource.",
} as const;

/** Shared responses, by the name under which operations refer to them. */
const responses = {
  BadRequest: {
    description:
      "The request is invalid, or not allowed in the current state. `details` lists every violation with its field.",
    code: Code.InvalidArgument,
    status: 400,
    reason: "INVALID_REQUEST",
    message: "page_size: must be at least 0",
  },
  Unauthenticated: {
    description: "The credentials are missing or invalid.",
    code: Code.Unauthenticated,
    status: 401,
    reason: "UNAUTHENTICATED",
    message: "credentials are missing",
    headers: ["WWW-Authenticate"],
  },
  PermissionDenied: {
    description: "The credentials do not permit this call.",
    code: Code.PermissionDenied,
    status: 403,
    reason: "PERMISSION_DENIED",
    message: "the credentials lack a scope",
  },
  NotFound: {
    description: "The resource does not exist.",
    code: Code.NotFound,
    status: 404,
    reason: "RESOURCE_NOT_FOUND",
    message: "the resource does not exist",
  },
  Conflict: {
    description: "It already exists, or a concurrent request changed it first.",
    code: Code.AlreadyExists,
    status: 409,
    reason: "ALREADY_EXISTS",
    message: "the resource already exists",
  },
  PreconditionFailed: {
    description: "The resource no longer has the entity tag of `If-Match`.",
    code: Code.Aborted,
    status: 412,
    reason: "ETAG_MISMATCH",
    message: "the resource has changed",
  },
  UpgradeRequired: {
    description: "This method is a bidirectional stream: connect with a WebSocket.",
    code: Code.Unimplemented,
    status: 426,
    reason: "UPGRADE_REQUIRED",
    message: "Chat is a bidirectional stream: connect with a WebSocket",
    headers: ["Upgrade"],
  },
  TooManyRequests: {
    description: "A limit is reached. `Retry-After` says when to try again.",
    code: Code.ResourceExhausted,
    status: 429,
    reason: "RATE_LIMITED",
    message: "too many requests",
    headers: ["Retry-After"],
  },
  Error: {
    description: "Any other error.",
    code: Code.Unavailable,
    status: 503,
    reason: "UNAVAILABLE",
    message: "the service is not available",
    headers: ["Retry-After", "WWW-Authenticate"],
  },
} as const satisfies Readonly<Record<string, ErrorResponse>>;

/** The name of a response from {@link errorResponses}. */
export type ErrorResponseName = keyof typeof responses;

/** `components.responses`: every error that operations declare, with an example. */
export function errorResponses(format: ErrorFormat): JsonObject {
  const type = format === "problem" ? "application/problem+json" : "application/json";
  return Object.fromEntries(
    Object.entries<ErrorResponse>(responses).map(([name, response]) => {
      const schema = { $ref: `#/components/schemas/${schemaNames[format]}` };
      const content: JsonObject = { [type]: { schema, example: exampleOf(response, format) } };
      const { description, headers: names = [] } = response;
      const head: JsonObject = names.length > 0 ? { headers: declaredHeaders(names) } : {};
      return [name, { description, ...head, content }];
    }),
  );
}

/** Header objects of a response. */
export function declaredHeaders(names: readonly (keyof typeof headers)[]): JsonObject {
  return Object.fromEntries(names.map((name) => [name, { description: headers[name], schema: { type: "string" } }]));
}

const schemaNames: Readonly<Record<ErrorFormat, string>> = {
  status: "Status",
  aip193: "ErrorBody",
  problem: "Problem",
};

function exampleOf({ code, status, reason, message }: ErrorResponse, format: ErrorFormat): JsonObject {
  const info = { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "example.com", metadata: {} };
  const details = [info];
  switch (format) {
    case "status":
      return { code, message, details };
    case "aip193":
      return { error: { code: status, message, status: codeName(code), details } };
    case "problem":
      return { type: "about:blank", title: codeName(code), status, detail: message, code, details };
    default:
      return format satisfies never;
  }
}

/** Schemas of errors: of whole responses in the server's format, and of the last element of a stream. */
export function errorSchemas(format: ErrorFormat): JsonObject {
  return {
    Status: {
      type: "object",
      description: "An error, as `google.rpc.Status`.",
      properties: { code, message, details },
      required: ["code", "message", "details"],
    },
    StreamError: {
      type: "object",
      description: "The last element of a stream that failed.",
      properties: { error: { $ref: "#/components/schemas/Status" } },
      required: ["error"],
    },
    ...(format === "aip193" ? { ErrorBody: aip193 } : {}),
    ...(format === "problem" ? { Problem: problem } : {}),
  };
}

const code: JsonObject = { type: "integer", format: "int32", description: "The number of the `google.rpc.Code`." };
const message: JsonObject = { type: "string", description: "What went wrong, for developers." };
const httpStatus: JsonObject = { type: "integer", format: "int32", description: "The HTTP status." };
const codeNames: JsonObject = { type: "string", description: "The name of the `google.rpc.Code`." };
const details: JsonValue = {
  type: "array",
  description:
    "Always an ErrorInfo with a `reason`; by the error also BadRequest, RetryInfo, PreconditionFailure and others.",
  items: {
    type: "object",
    properties: { "@type": { type: "string" } },
    required: ["@type"],
    additionalProperties: true,
  },
};

const aip193: JsonObject = {
  type: "object",
  description: "An error as defined by AIP-193.",
  properties: {
    error: {
      type: "object",
      properties: { code: httpStatus, message, status: codeNames, details },
      required: ["code", "message", "status", "details"],
    },
  },
  required: ["error"],
};

const problem: JsonObject = {
  type: "object",
  description: "An error as defined by RFC 9457.",
  properties: {
    type: { type: "string", format: "uri-reference", description: "Always `about:blank`." },
    title: codeNames,
    status: httpStatus,
    detail: message,
    code,
    details,
  },
  required: ["type", "title", "status", "detail", "code", "details"],
};
