import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
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
import { reasonOf } from "./error-body.ts";

/** The reason (ErrorInfo) by which an implementation says that an etag did not match. */
export const etagMismatch = "ETAG_MISMATCH";

/** The `etag` field of a message, where it has one as a string. */
export function etagFieldOf(message: DescMessage): DescField | undefined {
  return message.fields.find((field) => field.name === "etag" && field.scalar === ScalarType.STRING && !field.oneof);
}

/** Where `If-Match` goes in a request: its own `etag` field, else that of the resource that the body is. */
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
 * Puts an `If-Match` header into the etag field of the request. `*` and a request without such a field leave the
 * message alone: the implementation sees the header in any case.
 *
 * @throws ConnectError INVALID_ARGUMENT where the body brought another etag, or the header names several.
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
 * The ETag header of an answer: its `etag` field ({@link etagFieldOf}) in quotes; undefined where it is empty, or no
 * entity tag (RFC 9110, section 8.8.3) can hold it.
 */
export function etagOf(message: Message, field: DescField | undefined): string | undefined {
  if (field === undefined) return undefined;
  const value = (message as unknown as Fields)[field.localName];
  if (typeof value !== "string" || value === "") return undefined;
  const tag = /^(W\/)?".*"$/.test(value) ? value : `"${value}"`;
  return /^(W\/)?"[\x21\x23-\x7e]*"$/.test(tag) ? tag : undefined;
}

/** True where an `If-None-Match` header names the etag, by the weak comparison of RFC 9110. */
export function noneMatch(header: string, etag: string): boolean {
  if (header.trim() === "*") return true;
  const weak = (tag: string): string => tag.trim().replace(/^W\//, "");
  return header.split(",").some((tag) => weak(tag) === weak(etag));
}

/** True where the error is an etag that did not match. */
export function isEtagMismatch(error: ConnectError): boolean {
  return (error.code === Code.Aborted || error.code === Code.FailedPrecondition) && reasonOf(error) === etagMismatch;
}
