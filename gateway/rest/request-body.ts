import { isUtf8 } from "node:buffer";
import { Code, type ConnectError } from "@connectrpc/connect";
import { type FormPart, parseMultipart, parseUrlencoded } from "../binding/form-data.ts";
import type { RequestBody } from "../binding/request-binding.ts";
import { gatewayError, invalidRequest } from "../errors.ts";
import type { Request } from "../http/body/request.ts";
import type { PreparedRoute } from "./prepared-route.ts";

/** The body of a request without one. */
export const noBytes: Buffer = Buffer.alloc(0);

const none: RequestBody = { kind: "none" };

/**
 * Interprets the bytes of a body by the route's rule and their Content-Type.
 *
 * @throws ConnectError: 400 for a body where none is allowed and for text that is not UTF-8.
 */
export function requestBodyOf(request: Request, route: PreparedRoute, bytes: Buffer, lenient: boolean): RequestBody {
  if (route.body === "none") {
    if (bytes.length > 0 && !lenient && !isEmptyBody(bytes)) {
      throw invalidRequest([{ field: "", description: "this method takes no body" }], "UNEXPECTED_BODY");
    }
    return none;
  }
  const contentType = request.headers["content-type"] ?? "";
  if (route.binding.rawBody) return { kind: "raw", contentType, data: bytes };
  if (bytes.length === 0) return none;
  if (contentType !== "application/json") {
    const parts = formParts(contentType, bytes);
    if (parts !== undefined) return { kind: "form", parts };
  }
  if (!isUtf8(bytes)) {
    throw invalidRequest([{ field: "", description: "the body is not valid UTF-8" }], "MALFORMED_JSON");
  }
  return { kind: "json", text: bytes.toString("utf8") };
}

/** True for no bytes, and for an empty object, which some clients send with a GET. */
function isEmptyBody(bytes: Buffer): boolean {
  const text = bytes.toString("latin1").trim();
  return text === "" || (text.startsWith("{") && text.endsWith("}") && text.slice(1, -1).trim() === "");
}

/** The parts of a form; undefined for any other body. */
function formParts(contentType: string, bytes: Buffer): FormPart[] | undefined {
  if (/^multipart\/form-data\b/i.test(contentType)) return parseMultipart(bytes, contentType);
  const looksLikeJson = /^\s*[[{]/.test(bytes.toString("latin1", 0, 64));
  if (looksLikeJson || !/^application\/x-www-form-urlencoded\b/i.test(contentType)) return undefined;
  return parseUrlencoded(bytes);
}

/**
 * Rejects a body by its Content-Type, before it is read. The form types are also accepted for JSON, because `curl -d`
 * sends JSON under them by default.
 *
 * @throws ConnectError 415
 */
export function assertMediaType(request: Request, route: PreparedRoute): void {
  if (route.body === "none" || route.binding.rawBody) return;
  const contentType = request.headers["content-type"] ?? "";
  if (contentType === "application/json") return;
  const type = contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (type !== "" && !mediaTypes.test(type)) {
    const message = `content-type "${type.slice(0, 80)}" is not supported here; send application/json`;
    throw unsupportedMediaType(message, { supported: "application/json" });
  }
  assertCharset(contentType);
}

const mediaTypes = /^((application|text)\/([\w.-]+\+)?json|application\/x-www-form-urlencoded|multipart\/form-data)$/;

/** Rejects text in an encoding other than UTF-8, of which ASCII is a subset. @throws ConnectError 415 */
export function assertCharset(contentType: string): void {
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(contentType)?.[1];
  if (charset === undefined || /^(utf-?8|us-ascii|)$/i.test(charset)) return;
  const message = `charset "${charset.slice(0, 80)}" is not supported here; send utf-8`;
  throw unsupportedMediaType(message, { supported: "utf-8" });
}

function unsupportedMediaType(message: string, metadata: Readonly<Record<string, string>>): ConnectError {
  return gatewayError({
    code: Code.InvalidArgument,
    reason: "UNSUPPORTED_MEDIA_TYPE",
    message,
    httpStatus: 415,
    metadata,
  });
}
