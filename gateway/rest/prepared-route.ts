import type { DescField, Message } from "@bufbuild/protobuf";
import type { MethodImplSpec } from "@connectrpc/connect";
import { type HttpBody, HttpBodySchema } from "../../gen/google/api/httpbody_pb.js";
import { type Binding, type BindingOptions, createBinding } from "../binding/request-binding.ts";
import { beginCall, type Call } from "../call/call-context.ts";
import { clientConnection } from "../call/cancellation.ts";
import { timeoutOf } from "../call/deadline.ts";
import type { JsonCodec } from "../codec/json-codec.ts";
import { type FieldNames, restFieldNames } from "../fields/field-names.ts";
import type { FieldPath, Fields } from "../fields/field-path.ts";
import type { Request, Response } from "../http/body/request.ts";
import type { Route } from "../routing/http-rules.ts";
import { etagFieldOf, etagPathOf } from "./conditional-requests.ts";
import type { RestOptions } from "./options.ts";
import { createResume, type Resume } from "./resume-token.ts";

/** A route with everything that is computed once. */
export interface PreparedRoute extends Route {
  readonly spec: MethodImplSpec;
  readonly binding: Binding;
  readonly etagPath: FieldPath | undefined;
  /** The `etag` field of the response. */
  readonly etagField: DescField | undefined;
  readonly resume: Resume;
  /** The names of request fields in errors. */
  readonly fieldNames: FieldNames;
  /** True if the body is the bytes of a google.api.HttpBody: the response itself or its `response_body` field. */
  readonly rawResponse: boolean;
}

/** Prepares a route for its implementation. */
export function prepareRoute(
  route: Route,
  spec: MethodImplSpec,
  codec: JsonCodec,
  options: BindingOptions,
): PreparedRoute {
  const { input, output } = route.method;
  return {
    ...route,
    spec,
    binding: createBinding(route, codec, options),
    etagPath: etagPathOf(route),
    etagField: etagFieldOf(output),
    resume: createResume(input, output),
    fieldNames: restFieldNames(route),
    rawResponse: (route.responseBody?.message ?? output).typeName === HttpBodySchema.typeName,
  };
}

/**
 * Opens the context of a call: its deadline from the headers, its signal from the client's connection, its metadata
 * through the allow-list.
 *
 * @throws ConnectError INVALID_ARGUMENT for a malformed timeout header.
 */
export function openRestCall(
  request: Request,
  response: Response,
  route: PreparedRoute,
  filterHeaders: (headers: Request["headers"]) => Headers,
  options: RestOptions,
): Call {
  let timeoutMs = timeoutOf(request.headers);
  const { maxTimeoutMs } = options;
  if (maxTimeoutMs !== undefined && timeoutMs !== undefined) timeoutMs = Math.min(timeoutMs, maxTimeoutMs);
  return beginCall(route.method, {
    protocolName: "rest",
    requestMethod: request.method ?? "",
    url: request.url ?? "",
    requestHeader: () => filterHeaders(request.headers),
    timeoutMs,
    cancellation: clientConnection(response, options.shutdownSignal),
    values: options.contextValues?.(request),
  });
}

/**
 * The content type of an HttpBody; `application/octet-stream` if it has none or one that is not a valid header value.
 */
export function contentTypeOf(body: HttpBody | undefined): string {
  const type = body?.contentType ?? "";
  return /^[\x20-\x7e]+$/.test(type) ? type : "application/octet-stream";
}

/** The HttpBody of a response: the message itself, or its `response_body` field. */
export function httpBodyOf(message: Message, field: DescField | undefined): HttpBody | undefined {
  if (field === undefined) return message as HttpBody;
  const fields = message as unknown as Fields;
  if (field.oneof === undefined) return fields[field.localName] as HttpBody | undefined;
  const held = fields[field.oneof.localName] as { case: string | undefined; value?: HttpBody };
  return held.case === field.localName ? held.value : undefined;
}
