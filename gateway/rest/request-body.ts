import { isUtf8 } from "node:buffer";
import { Code } from "@connectrpc/connect";
import { type FormPart, parseMultipart, parseUrlencoded } from "../binding/form-data.ts";
import type { RequestBody } from "../binding/request-binding.ts";
import { gatewayError, invalidRequest } from "../errors.ts";
import type { Request } from "../http/body.ts";
import type { PreparedRoute } from "./prepared-route.ts";

/** The body of a request that has none. */
export const noBytes: Buffer = Buffer.alloc(0);

const none: RequestBody = { kind: "none" };

/**
 * What the bytes of a body are to the route, by its rule and their Content-Type.
 *
 * @throws ConnectError: 400 for a body where none is taken and for text that is not UTF-8, 415 for other media types.
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
    assertJson(contentType, bytes);
  }
  if (!isUtf8(bytes)) {
    throw invalidRequest([{ field: "", description: "the body is not valid UTF-8" }], "MALFORMED_JSON");
  }
  return { kind: "json", text: bytes.toString("utf8") };
}

/** Nothing, or an object of nothing, which some clients send with a GET. */
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

/** `curl -d` sends JSON under the type of a form unless told otherwise; no form begins with a brace or a bracket. */
function assertJson(contentType: string, body: Buffer): void {
  const type = contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const looksLikeJson = /^\s*[[{]/.test(body.toString("latin1", 0, 64));
  const isJson =
    type === "" ||
    /^(application|text)\/([\w.-]+\+)?json$/.test(type) ||
    (type === "application/x-www-form-urlencoded" && looksLikeJson);
  if (!isJson) {
    throw gatewayError({
      code: Code.InvalidArgument,
      reason: "UNSUPPORTED_MEDIA_TYPE",
      message: `content-type "${type.slice(0, 80)}" is not supported here; send application/json`,
      httpStatus: 415,
      metadata: { supported: "application/json" },
    });
  }
}
