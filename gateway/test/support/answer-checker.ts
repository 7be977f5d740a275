import { brotliDecompressSync, gunzipSync } from "node:zlib";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { createDocumentValidator, toPointer } from "./document-validator.ts";
import { findOperation, type Operation } from "./find-operation.ts";

/** A REST request and its response. */
export interface RestAnswer {
  readonly method: string;
  /** As sent: raw, with the query. */
  readonly path: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** If undefined, the body was not recorded and only the head is checked. */
  readonly body: Buffer | undefined;
}

/** Compares responses with an OpenAPI document. */
export interface AnswerChecker {
  /**
   * Lists the parts of a response that the document does not describe: an operation, a status, a content type, a header
   * or a body, one line each. Responses other than REST (RPC, documents, preflights) are skipped.
   */
  check(answer: RestAnswer): string[];
}

/** Headers with a meaning for API clients; none may be undocumented. */
const meaningful = ["location", "etag", "retry-after", "www-authenticate", "allow", "upgrade"];

/** Methods that a document supports, except OPTIONS, which is used for preflights. */
const describable = new Set(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "TRACE"]);

/** Creates a checker that rejects properties unknown to the document. */
export function createAnswerChecker(document: JsonObject): AnswerChecker {
  const mismatchesOf = createDocumentValidator(document);
  const mismatches = (pointer: string, value: JsonValue, what: string): string[] => {
    const problems = mismatchesOf(pointer, value);
    return problems.length === 0 ? [] : [`${what} is not what ${pointer} says: ${problems.join("; ")}`];
  };

  const checkBody = ({ status, headers, body }: RestAnswer, { response, pointer }: Described): string[] => {
    const content = response["content"] as JsonObject | undefined;
    const type = headers["content-type"]?.split(";", 1)[0] ?? "";
    if (content === undefined) return body === undefined || body.length === 0 ? [] : [`${status} has a body`];
    const key = content[type] !== undefined ? type : "*/*";
    if (content[key] === undefined) return [`content type "${type}" is not declared`];
    if (body === undefined || key === "*/*") return [];
    const at = (name: string): string => `${pointer}/content/${toPointer(name)}/schema`;
    const text = decoded(body, headers["content-encoding"]).toString("utf8");
    switch (key) {
      case "application/x-ndjson":
        return lines(text).flatMap((line) => mismatches(at(key), JSON.parse(line), line));
      case "text/event-stream":
        return events(text).flatMap(({ event, data }) => {
          if (event === "end") return data === "{}" ? [] : [`the end of the stream says ${data}`];
          const schema = event === "error" ? "/components/schemas/Status" : at("application/x-ndjson");
          return mismatches(schema, JSON.parse(data), data);
        });
      default:
        return mismatches(at(key), JSON.parse(text), text.slice(0, 500));
    }
  };

  const checkHeaders = ({ headers }: RestAnswer, { response, pointer }: Described): string[] => {
    const declared = Object.keys((response["headers"] ?? {}) as JsonObject);
    return Object.entries(headers).flatMap(([name, value]) => {
      const known = declared.find((header) => header.toLowerCase() === name);
      if (known === undefined) return meaningful.includes(name) ? [`header "${name}" is not declared`] : [];
      return mismatches(`${pointer}/headers/${toPointer(known)}/schema`, value ?? "", `header "${name}"`);
    });
  };

  const resolve = (pointer: string): Described => {
    const response = pointer
      .slice(1)
      .split("/")
      .reduce((value, part) => value[fromPointer(part)] as JsonObject, document);
    const reference = response["$ref"];
    return typeof reference === "string" ? resolve(reference.slice(1)) : { response, pointer };
  };

  return {
    check(answer) {
      const path = answer.path.split("?", 1)[0] ?? "";
      if (isNotRest(answer.method, path)) return [];
      const operation = findOperation(document, answer.method, path);
      const pointer = operation === undefined ? undefined : responsePointer(operation, answer.status);
      const name = `${answer.method} ${answer.path} ${answer.status}`;
      // A request without an operation can only get an error that applies to all requests.
      if (pointer === undefined) {
        if (answer.status < 400) return [`${name}: not described`];
        const described = resolve("/components/responses/Error");
        return checkBody(answer, described).map((problem) => `${name}: ${problem}`);
      }
      const described = resolve(pointer);
      const whole = answer.method === "HEAD" ? { ...answer, body: undefined } : answer;
      return [...checkBody(whole, described), ...checkHeaders(answer, described)].map(
        (problem) => `${name}: ${problem}`,
      );
    },
  };
}

interface Described {
  readonly response: JsonObject;
  readonly pointer: string;
}

/** The location of the response's description; a success must be described under its exact status. */
function responsePointer({ operation, pointer }: Operation, status: number): string | undefined {
  const responses = operation["responses"] as JsonObject;
  if (responses[String(status)] !== undefined) return `${pointer}/responses/${status}`;
  return status >= 400 && responses["default"] !== undefined ? `${pointer}/responses/default` : undefined;
}

function isNotRest(method: string, path: string): boolean {
  return !describable.has(method) || /^\/(docs|openapi)\b/.test(path) || /^\/\w+(\.\w+)+\/\w+$/.test(path);
}

function fromPointer(name: string): string {
  return name.replaceAll("~1", "/").replaceAll("~0", "~");
}

function decoded(body: Buffer, encoding: string | undefined): Buffer {
  if (encoding === "gzip") return gunzipSync(body);
  return encoding === "br" ? brotliDecompressSync(body) : body;
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

function events(text: string): { event: string; data: string }[] {
  return text
    .split("\n\n")
    .map((block) => ({ event: /^event: (.*)$/m.exec(block)?.[1] ?? "", data: /^data: (.*)$/m.exec(block)?.[1] ?? "" }))
    .filter(({ data }) => data !== "");
}
