import type { Message } from "@bufbuild/protobuf";
import { bodyTooLarge } from "./content-encoding.ts";
import { invalidRequest } from "./errors.ts";
import type { PreparedRoute } from "./rest-call.ts";

/**
 * A body of JSON objects as a stream of request messages, each as soon as it is there: one after another (NDJSON, or
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
  for await (const text of jsonObjects(chunks, maxBytes)) {
    yield route.binding.bind({ ...input, body: { kind: "json", text } });
  }
}

type Place = "start" | "sequence" | "array" | "after comma" | "after element" | "end";

/** What may come at each place outside of the objects, and where it leads. */
const next: Readonly<Record<Place, Readonly<Record<string, Place>>>> = {
  start: { "{": "sequence", "[": "array" },
  sequence: { "{": "sequence" },
  array: { "{": "after element", "]": "end" },
  "after comma": { "{": "after element" },
  "after element": { ",": "after comma", "]": "end" },
  end: {},
};

/** Cuts a text into the JSON objects that it holds, without reading them: only strings and brackets are looked at. */
export async function* jsonObjects(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let place: Place = "start";
  /** The beginning of an object whose end has not come yet. */
  let pieces: string[] = [];
  let size = 0;
  let depth = 0;
  let inString = false;
  let isEscaped = false;
  /** White space since the last message, of which there is no end in a small compressed body. */
  let blank = 0;

  const keep = (piece: string): void => {
    pieces.push(piece);
    size += Buffer.byteLength(piece);
    if (size > maxBytes) throw bodyTooLarge(maxBytes);
  };

  function* scan(text: string): Generator<string> {
    let start = 0;
    for (let at = 0; at < text.length; at += 1) {
      const character = text.charAt(at);
      if (depth === 0) {
        if (character === " " || character === "\n" || character === "\r" || character === "\t") {
          blank += 1;
          if (blank > maxBytes) throw bodyTooLarge(maxBytes);
          continue;
        }
        blank = 0;
        const then = next[place][character];
        if (then === undefined) throw malformed("the body is not a stream of JSON objects");
        place = then;
        if (character === "{") {
          depth = 1;
          start = at;
        }
      } else if (isEscaped) isEscaped = false;
      else if (inString) {
        if (character === "\\") isEscaped = true;
        else if (character === '"') inString = false;
      } else if (character === '"') inString = true;
      else if (character === "{" || character === "[") depth += 1;
      else if (character === "}" || character === "]") {
        depth -= 1;
        if (depth > 0) continue;
        keep(text.slice(start, at + 1));
        yield pieces.join("");
        pieces = [];
        size = 0;
      }
    }
    if (depth > 0) keep(text.slice(start));
  }

  const decode = (chunk?: Uint8Array): string => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch {
      throw malformed("the body is not valid UTF-8");
    }
  };

  for await (const chunk of chunks) yield* scan(decode(chunk));
  yield* scan(decode());
  if (depth > 0 || (place !== "start" && place !== "sequence" && place !== "end")) {
    throw malformed("the body ends within a message");
  }
}

function malformed(description: string): Error {
  return invalidRequest([{ field: "", description }], "MALFORMED_JSON");
}
