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

type Place = "start" | "sequence" | "array" | "after comma" | "after element" | "end";

/** Where a value leads that begins at the place; at the others none may begin. */
const afterValue: Partial<Record<Place, Place>> = {
  start: "sequence",
  sequence: "sequence",
  array: "after element",
  "after comma": "after element",
};

/** Where the signs of the array lead that holds the values; elsewhere they may not stand outside of a value. */
const afterSign: Partial<Record<`${Place} ${string}`, Place>> = {
  "start [": "array",
  "array ]": "end",
  "after element ,": "after comma",
  "after element ]": "end",
};

const isBlank = (character: string): boolean =>
  character === " " || character === "\n" || character === "\r" || character === "\t";

/** Of numbers, `true`, `false` and `null`; what they really are is seen when they are read. */
const ofLiteral = /[-+.0-9A-Za-z]/;

/** Cuts a text into the JSON values that it holds, without reading them: only strings and brackets are looked at. */
export async function* jsonValues(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let place: Place = "start";
  /** The beginning of a value whose end has not come yet. */
  let pieces: string[] = [];
  let size = 0;
  let inside = "nothing" as "nothing" | "literal" | "string" | "brackets";
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

  const take = (piece: string): string => {
    keep(piece);
    const value = pieces.join("");
    pieces = [];
    size = 0;
    inside = "nothing";
    return value;
  };

  /** A sign outside of all values, or the first of one. Answers whether it is the latter. */
  const begins = (character: string): boolean => {
    const then = afterSign[`${place} ${character}`];
    if (then !== undefined) {
      place = then;
      return false;
    }
    if (character === '"') {
      inside = "string";
      inString = true;
    } else if (character === "{" || character === "[") {
      inside = "brackets";
      depth = 1;
    } else if (ofLiteral.test(character)) inside = "literal";
    const next = afterValue[place];
    if (inside === "nothing" || next === undefined) throw malformed("the body is not a stream of JSON values");
    place = next;
    return true;
  };

  function* scan(text: string): Generator<string> {
    let start = 0;
    for (let at = 0; at < text.length; at += 1) {
      const character = text.charAt(at);
      if (inside === "literal" && !ofLiteral.test(character)) yield take(text.slice(start, at));
      if (inside === "nothing") {
        if (isBlank(character)) {
          blank += 1;
          if (blank > maxBytes) throw bodyTooLarge(maxBytes);
          continue;
        }
        blank = 0;
        if (begins(character)) start = at;
      } else if (isEscaped) isEscaped = false;
      else if (inString) {
        if (character === "\\") isEscaped = true;
        else if (character === '"') {
          inString = false;
          if (inside === "string") yield take(text.slice(start, at + 1));
        }
      } else if (character === '"') inString = true;
      else if (character === "{" || character === "[") depth += 1;
      else if (character === "}" || character === "]") {
        depth -= 1;
        if (depth === 0) yield take(text.slice(start, at + 1));
      }
    }
    if (inside !== "nothing") keep(text.slice(start));
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
  if (inside === "literal") yield take("");
  if (inside !== "nothing" || (place !== "start" && place !== "sequence" && place !== "end")) {
    throw malformed("the body ends within a message");
  }
}

function malformed(description: string): Error {
  return invalidRequest([{ field: "", description }], "MALFORMED_JSON");
}
