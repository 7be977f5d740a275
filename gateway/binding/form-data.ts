import { isUtf8 } from "node:buffer";
import type { DescMessage, Message } from "@bufbuild/protobuf";
import { create, type DescField, ScalarType } from "@bufbuild/protobuf";
import { HttpBodySchema } from "../../gen/google/api/httpbody_pb.js";
import { invalidRequest, type Violation } from "../errors.ts";
import { containerOf, type Fields, isFieldPath, jsonNameOf } from "../fields/field-path.ts";
import { decodeQuery } from "../fields/percent-encoding.ts";
import { resolveParameter } from "./parameter-name.ts";
import { bindQuery } from "./query-string.ts";

/** One part of `multipart/form-data`. */
export interface FormPart {
  readonly name: string;
  readonly fileName: string | undefined;
  readonly contentType: string | undefined;
  readonly data: Buffer;
}

/** Binding a field costs far more than its few bytes. */
const maxParts = 10_000;

/**
 * Splits an `application/x-www-form-urlencoded` body into its parts.
 *
 * @throws ConnectError INVALID_ARGUMENT for bytes that are not UTF-8, raw or percent-decoded, and for too many parts.
 */
export function parseUrlencoded(body: Buffer): FormPart[] {
  if (!isUtf8(body)) throw malformed("the body is not valid UTF-8");
  const pairs = body.toString("utf8").split("&", maxParts + 2);
  if (pairs.length > maxParts) throw tooManyParts();
  return pairs.filter((pair) => pair !== "").map(partOfPair);
}

function partOfPair(pair: string): FormPart {
  const [name = "", ...value] = pair.split("=");
  try {
    const data = Buffer.from(decodeQuery(value.join("=")));
    return { name: decodeQuery(name), fileName: undefined, contentType: undefined, data };
  } catch {
    throw malformed(`malformed percent-encoding in "${pair.slice(0, 40)}"`);
  }
}

/**
 * Splits a `multipart/form-data` body (RFC 7578) into its parts.
 *
 * @throws ConnectError INVALID_ARGUMENT for a malformed body.
 */
export function parseMultipart(body: Buffer, contentType: string): FormPart[] {
  const boundary = /;\s*boundary=(?:"([^"]{1,70})"|([^;\s]{1,70}))/i.exec(contentType);
  const mark = boundary?.[1] ?? boundary?.[2];
  if (mark === undefined) throw malformed("the content type has no boundary");
  const delimiter = Buffer.from(`\r\n--${mark}`);
  const whole = Buffer.concat([Buffer.from("\r\n"), body]);
  const parts: FormPart[] = [];
  let at = whole.indexOf(delimiter);
  while (at !== -1) {
    at += delimiter.length;
    if (whole.toString("latin1", at, at + 2) === "--") return parts;
    if (parts.length === maxParts) throw tooManyParts();
    const head = whole.indexOf("\r\n\r\n", at);
    const end = whole.indexOf(delimiter, at);
    if (head === -1 || end === -1 || head > end) break;
    parts.push(partOf(whole.toString("utf8", at, head), whole.subarray(head + 4, end)));
    at = end;
  }
  throw malformed("the body does not end with its boundary");
}

function partOf(head: string, data: Buffer): FormPart {
  const header = (name: string): string | undefined =>
    head
      .split("\r\n")
      .find((line) => line.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  const disposition = header("content-disposition") ?? "";
  const parameter = (name: string): string | undefined => {
    const match = new RegExp(`;\\s*${name}="((?:[^"\\\\]|\\\\.)*)"`, "i").exec(disposition);
    return match?.[1]?.replace(/\\(.)/g, "$1").replaceAll("%22", '"');
  };
  const name = parameter("name");
  if (name === undefined) throw malformed("a part has no name");
  return { name, fileName: parameter("filename"), contentType: header("content-type"), data };
}

/**
 * Sets the fields named by a form, under the rules of the query string. A part for a bytes field provides its raw
 * bytes; a part for a google.api.HttpBody field provides its bytes and their content type.
 *
 * @throws ConnectError INVALID_ARGUMENT with every invalid field.
 */
export function bindForm(desc: DescMessage, parts: readonly FormPart[], lenient: boolean): Message {
  const message = create(desc);
  const violations: Violation[] = [];
  const pairs: string[] = [];
  for (const part of parts) {
    const path = resolveParameter(desc, part.name).path;
    if (isFieldPath(path) && takesBytes(path.leaf)) {
      const found = containerOf(message, path);
      if ("container" in found) setBytes(found.container, path.leaf, part);
      else violations.push({ field: jsonNameOf(path), description: `the oneof "${found.oneof}" is already set` });
      continue;
    }
    if (!isUtf8(part.data)) violations.push({ field: part.name, description: "is not valid UTF-8" });
    else pairs.push(`${encodeURIComponent(part.name)}=${encodeURIComponent(part.data.toString("utf8"))}`);
  }
  violations.push(...bindQuery(message, pairs.join("&"), { root: desc, bound: [], ignoreUnknown: lenient }));
  if (violations.length > 0) throw invalidRequest(violations);
  return message;
}

function takesBytes(field: DescField): boolean {
  if (field.fieldKind === "scalar") return field.scalar === ScalarType.BYTES;
  return field.fieldKind === "message" && field.message.typeName === HttpBodySchema.typeName;
}

function setBytes(container: Message, field: DescField, part: FormPart): void {
  const contentType = part.contentType ?? "application/octet-stream";
  const value = field.fieldKind === "message" ? create(HttpBodySchema, { contentType, data: part.data }) : part.data;
  const fields = container as unknown as Fields;
  if (field.oneof === undefined) fields[field.localName] = value;
  else fields[field.oneof.localName] = { case: field.localName, value };
}

function tooManyParts(): Error {
  return malformed(`a form has at most ${maxParts} fields`);
}

function malformed(description: string): Error {
  return invalidRequest([{ field: "", description }], "MALFORMED_FORM");
}
