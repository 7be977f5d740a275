import { StringDecoder } from "node:string_decoder";
import type { Message } from "@bufbuild/protobuf";
import { bodyTooLarge } from "./content-encoding.ts";
import { invalidRequest } from "./errors.ts";
import type { PreparedRoute } from "./rest-call.ts";

/**
 * A body of JSON values as a stream of request messages, each as soon as it is there: one after another (NDJSON, or
 * just concatenated), or the elements of one array.
 *
 * @param maxBytes of one message.
 * @throws ConnectError: 400 for what is not such a body or not such a message, 413 for a message that is too large.
 */
export async function* jsonRequests(
  route: PreparedRoute,
  input: { readonly segments: readonly string[]; readonly rawQuery: string },
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Message> {
  for await (const text of jsonValues(chunks, maxBytes)) {
    yield route.binding.bind({ ...input, body: { kind: "json", text } });
  }
}

const whitespace = /\s/;
const literalStart = /[-0-9tfn]/;
const literalEnd = /[\s,\]}]/;

/** Cuts a text into the JSON values that it holds, without reading them: only strings and brackets are looked at. */
export async function* jsonValues(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let text = "";
  let at = 0;
  let start = -1;
  let depth = 0;
  let inString = false;
  let inLiteral = false;
  let inArray = false;
  let seen = 0;

  function take(end: number): string {
    const value = text.slice(start, end);
    text = text.slice(end);
    at = -1;
    start = -1;
    seen += 1;
    return value;
  }

  function* scan(): Generator<string> {
    for (; at < text.length; at += 1) {
      const character = text.charAt(at);
      if (inString) {
        if (character === "\\") at += 1;
        else if (character === '"') {
          inString = false;
          if (depth === 0) yield take(at + 1);
        }
        continue;
      }
      if (inLiteral) {
        if (!literalEnd.test(character)) continue;
        inLiteral = false;
        yield take(at);
        continue;
      }
      if (start === -1) {
        if (whitespace.test(character)) continue;
        if (seen === 0 && !inArray && character === "[") {
          inArray = true;
          continue;
        }
        if (inArray && (character === "," || character === "]")) continue;
        start = at;
      }
      if (character === '"') inString = true;
      else if (character === "{" || character === "[") depth += 1;
      else if (character === "}" || character === "]") {
        depth -= 1;
        if (depth < 0) throw malformed();
        if (depth === 0) yield take(at + 1);
      } else if (depth === 0) {
        if (!literalStart.test(character)) throw malformed();
        inLiteral = true;
      }
    }
  }

  for await (const chunk of chunks) {
    text += decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    yield* scan();
    if (text.length - Math.max(start, 0) > maxBytes) throw bodyTooLarge(maxBytes);
  }
  text += decoder.end();
  yield* scan();
  if (inLiteral) yield take(text.length);
  if (start !== -1 || inString) throw malformed();
}

function malformed(): Error {
  return invalidRequest([{ field: "", description: "the body is not a stream of JSON values" }], "MALFORMED_JSON");
}
