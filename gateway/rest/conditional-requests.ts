import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { invalidRequest } from "../errors.ts";
import {
  containerOf,
  type FieldPath,
  type Fields,
  isFieldPath,
  resolveFieldPath,
  valueAt,
} from "../fields/field-path.ts";
import type { Route } from "../routing/http-rules.ts";

/** The ErrorInfo reason with which an implementation reports an etag mismatch. */
export const etagMismatch = "ETAG_MISMATCH";

/** The `etag` field of a message, if it has one of type string. */
export function etagFieldOf(message: DescMessage): DescField | undefined {
  return message.fields.find((field) => field.name === "etag" && field.scalar === ScalarType.STRING && !field.oneof);
}

/** The request field set by `If-Match`: the request's own `etag` field, or else that of the resource in the body. */
export function etagPathOf(route: Route): FieldPath | undefined {
  const { input } = route.method;
  const names = etagFieldOf(input)
    ? ["etag"]
    : typeof route.body === "object" && route.body.fieldKind === "message" && etagFieldOf(route.body.message)
      ? [route.body.name, "etag"]
      : undefined;
  if (names === undefined) return undefined;
  const found = resolveFieldPath(input, names);
  return isFieldPath(found) ? found : undefined;
}

/**
 * Sets the request's etag field from an `If-Match` header. `*`, and a request without such a field, leave the message
 * unchanged: the implementation sees the header in any case.
 *
 * @throws ConnectError INVALID_ARGUMENT if the body has another etag, or the header names several.
 */
export function applyIfMatch(message: Message, path: FieldPath | undefined, header: string): void {
  const value = header.trim();
  if (value === "*" || path === undefined) return;
  const match = /^(?:W\/)?"([^"]*)"$|^([^",\s]+)$/.exec(value);
  if (match === null) throw invalidRequest([{ field: "If-Match", description: "must hold one entity tag or *" }]);
  const etag = match[1] ?? match[2] ?? "";
  const before = valueAt(message, path);
  if (typeof before === "string" && before !== "" && before !== etag) {
    throw invalidRequest([{ field: "If-Match", description: "does not agree with the body" }]);
  }
  const found = containerOf(message, path);
  if ("container" in found) (found.container as unknown as Fields)[path.leaf.localName] = etag;
}

/**
 * The ETag header of a response: its `etag` field ({@link etagFieldOf}) in quotes; undefined if the field is empty or
 * not valid as an entity tag (RFC 9110, section 8.8.3).
 */
export function etagOf(message: Message, field: DescField | undefined): string | undefined {
  if (field === undefined) return undefined;
  const value = (message as unknown as Fields)[field.localName];
  if (typeof value !== "string" || value === "") return undefined;
  const tag = /^(W\/)?".*"$/.test(value) ? value : `"${value}"`;
  return /^(W\/)?"[\x21\x23-\x7e]*"$/.test(tag) ? tag : undefined;
}

/** True if an `If-None-Match` header names the etag, by the weak comparison of RFC 9110. */
export function noneMatch(header: string, etag: string): boolean {
  if (header.trim() === "*") return true;
  const weak = (tag: string): string => tag.trim().replace(/^W\//, "");
  return header.split(",").some((tag) => weak(tag) === weak(etag));
}

/** True for an etag mismatch. */
export function isEtagMismatch(error: ConnectError): boolean {
  const { code } = error;
  if (code !== Code.Aborted && code !== Code.FailedPrecondition) return false;
  return error.findDetails(ErrorInfoSchema)[0]?.reason === etagMismatch;
}
