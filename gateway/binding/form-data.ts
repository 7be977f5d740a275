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
 * Splits a `multipart/form-data` body (RFC 7578) into its parts, whose data are slices of the body.
 *
 * @throws ConnectError INVALID_ARGUMENT for a malformed body.
 */
export function parseMultipart(body: Buffer, contentType: string): FormPart[] {
  const boundary = /;\s*boundary=(?:"([^"]{1,70})"|([^;\s"]{1,70})(?![^;\s]))/i.exec(contentType);
  const mark = boundary?.[1] ?? boundary?.[2];
  if (mark === undefined) throw malformed("the content type has no boundary");
  const whole = Buffer.concat([Buffer.from("\r\n"), body]);
  const delimiter = Buffer.from(`\r\n--${mark}`);
  const parts: FormPart[] = [];
  let previous: Delimiter | undefined;
  for (const found of delimitersOf(whole, delimiter)) {
    if (previous !== undefined) {
      if (parts.length === maxParts) throw tooManyParts();
      parts.push(partOf(whole.subarray(previous.end, found.start)));
    }
    if (found.isLast) return parts;
    previous = found;
  }
  throw malformed("the body does not end with its boundary");
}

interface Delimiter {
  readonly start: number;
  /** Offset of the part that follows. */
  readonly end: number;
  readonly isLast: boolean;
}

/** Finds the lines that consist of the boundary (RFC 2046). Lines that only begin with it are content. */
function* delimitersOf(whole: Buffer, delimiter: Buffer): Generator<Delimiter> {
  for (let start = whole.indexOf(delimiter); start !== -1; start = whole.indexOf(delimiter, start + 1)) {
    const after = start + delimiter.length;
    const isLast = whole.toString("latin1", after, after + 2) === "--";
    const end = lineEnd(whole, isLast ? after + 2 : after);
    // The last line may lack its end, and some clients end it with a line feed alone.
    if (whole[end] === cr && whole[end + 1] === lf) yield { start, end: end + 2, isLast };
    else if (isLast && (end === whole.length || whole[end] === lf)) yield { start, end, isLast };
  }
}

const [tab, lf, cr, space] = [0x09, 0x0a, 0x0d, 0x20];

/** Skips the white space that may follow a boundary. */
function lineEnd(whole: Buffer, start: number): number {
  let end = start;
  while (whole[end] === space || whole[end] === tab) end += 1;
  return end;
}

/** Splits a part into its headers and its data. */
function partOf(part: Buffer): FormPart {
  // Without headers, the part begins with the empty line that ends them.
  const hasHeaders = part[0] !== cr || part[1] !== lf;
  const headEnd = hasHeaders ? part.indexOf("\r\n\r\n") : 0;
  if (headEnd === -1) throw malformed("a part has no empty line after its headers");
  if (headEnd > maxHeaderBytes) throw malformed(`a part's headers have at most ${maxHeaderBytes} bytes`);
  const head = part.toString("utf8", 0, headEnd);
  const header = (name: string): string | undefined =>
    head
      .split("\r\n")
      .find((line) => line.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  const parameters = dispositionParameters(header("content-disposition") ?? "");
  const name = parameters.get("name");
  if (name === undefined) throw malformed("a part has no name");
  const data = part.subarray(headEnd + (hasHeaders ? 4 : 2));
  return { name, fileName: parameters.get("filename"), contentType: header("content-type"), data };
}

/** Far more than a name, a file name and a content type need. */
const maxHeaderBytes = 16 * 1024;

/** The parameters of `form-data; name="a"; filename=b`, quoted or not. The first of several with one name counts. */
function dispositionParameters(disposition: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  const rest = disposition.replace(/^[^;]*/, "");
  for (const [, name = "", quoted, token] of rest.matchAll(/;\s*([^\s=;"]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))\s*/gy)) {
    const value = token ?? quoted?.replace(/\\(.)/g, "$1").replaceAll("%22", '"') ?? "";
    if (!parameters.has(name.toLowerCase())) parameters.set(name.toLowerCase(), value);
  }
  return parameters;
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
