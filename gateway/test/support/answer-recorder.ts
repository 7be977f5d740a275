import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { JsonObject } from "@bufbuild/protobuf";
import { createAnswerChecker } from "./answer-checker.ts";

/** Records a server's responses and compares each with its OpenAPI document. */
export interface AnswerRecorder {
  /** Must be called for each request before it is handled. */
  record(request: IncomingMessage, response: ServerResponse): void;
  /**
   * @throws if a response did not match the document, except where `isOutside` is true, with all mismatches in the
   * message.
   */
  assertDescribed(isOutside: (problem: string) => boolean): void;
}

/** Larger bodies are not recorded, so that a server may stream any amount. */
const keptBytes = 1024 * 1024;

/** Creates a recorder for the server of the document. */
export function createAnswerRecorder(document: JsonObject): AnswerRecorder {
  const checker = createAnswerChecker(document);
  const problems = new Set<string>();
  let count = 0;
  return {
    record(request, response) {
      const chunks: Buffer[] = [];
      let size = 0;
      const keep = (chunk: unknown, encoding: unknown): void => {
        if (typeof chunk !== "string" && !(chunk instanceof Uint8Array)) return;
        const bytes = typeof chunk === "string" ? Buffer.from(chunk, encoding as BufferEncoding) : Buffer.from(chunk);
        size += bytes.length;
        if (size <= keptBytes) chunks.push(bytes);
      };
      let head: OutgoingHttpHeaders = {};
      const writeHead = response.writeHead.bind(response);
      response.writeHead = (status: number, ...rest: unknown[]) => {
        head = { ...response.getHeaders(), ...(rest.at(-1) as OutgoingHttpHeaders | undefined) };
        return writeHead(status, ...(rest as [OutgoingHttpHeaders]));
      };
      const write = response.write.bind(response) as (...parameters: unknown[]) => boolean;
      const end = response.end.bind(response) as (...parameters: unknown[]) => ServerResponse;
      response.write = (chunk: unknown, ...rest: unknown[]) => {
        keep(chunk, rest[0]);
        return write(chunk, ...rest);
      };
      response.end = (chunk?: unknown, ...rest: unknown[]) => {
        keep(chunk, rest[0]);
        return end(chunk, ...rest);
      };
      response.on("finish", () => {
        count += 1;
        const headers = Object.fromEntries(
          Object.entries(head).map(([name, value]) => [name.toLowerCase(), String(value)]),
        );
        const answer = {
          method: request.method ?? "",
          path: request.url ?? "",
          status: response.statusCode,
          headers,
          body: size > keptBytes ? undefined : Buffer.concat(chunks),
        };
        for (const problem of checker.check(answer)) problems.add(problem);
      });
    },
    assertDescribed(isOutside) {
      const inside = [...problems].filter((problem) => !isOutside(problem));
      if (inside.length > 0) {
        throw new Error(`${inside.length} of ${count} answers are not as described:\n${inside.join("\n")}`);
      }
    },
  };
}
