import type { Message } from "@bufbuild/protobuf";
import { invalidRequest } from "../errors.ts";
import { bodyTooLarge } from "../http/body/content-encoding.ts";
import type { HeldMessage } from "../http/body/streamed-body.ts";
import type { PreparedRoute } from "./prepared-route.ts";

/**
 * Converts a body of JSON values to a stream of request messages, each as soon as it is complete: consecutive values
 * (NDJSON, or concatenated), or the elements of one array.
 *
 * @param maxBytes of one message.
 * @param held counts the received bytes of an unfinished message.
 * @throws ConnectError: 400 for a malformed body or message, 413 for a message that is too large.
 */
export async function* jsonRequests(
  route: PreparedRoute,
  input: { readonly segments: readonly string[]; readonly rawQuery: string },
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
  held: HeldMessage,
): AsyncGenerator<Message> {
  try {
    for await (const text of jsonValues(chunks, maxBytes, held)) {
      yield route.binding.bind({ ...input, body: { kind: "json", text } });
    }
  } finally {
    held.end();
  }
}

type Place = "start" | "sequence" | "array" | "after comma" | "after element" | "end";
type Token = "value" | "[" | "]" | ",";

/** The tokens allowed at each place between values, and the place that follows each. */
const next: Readonly<Record<Place, Partial<Record<Token, Place>>>> = {
  start: { value: "sequence", "[": "array" },
  sequence: { value: "sequence" },
  array: { value: "after element", "]": "end" },
  "after comma": { value: "after element" },
  "after element": { ",": "after comma", "]": "end" },
  end: {},
};

const valueStart = /[-{["0-9tfn]/;
const literalEnd = /[\s,\]}]/;

/**
 * Splits a text into its JSON values without parsing them: only strings, brackets and the ends of numbers and words are
 * recognized.
 */
export async function* jsonValues(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
  held?: Pick<HeldMessage, "add" | "next">,
): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let place = "start" as Place;
  /** The parts received so far of an unfinished value. */
  let pieces: string[] = [];
  let size = 0;
  let depth = 0;
  let inString = false;
  let isEscaped = false;
  /** Inside a number, `true`, `false` or `null` that is a whole message. */
  let inLiteral = false;
  /** White space since the last message, which a small compressed body can hold without limit. */
  let blank = 0;

  const keep = (piece: string): void => {
    pieces.push(piece);
    const bytes = Buffer.byteLength(piece);
    size += bytes;
    held?.add(bytes);
    if (size > maxBytes) throw bodyTooLarge(maxBytes);
  };

  const take = (piece: string): string => {
    keep(piece);
    const value = pieces.join("");
    pieces = [];
    size = 0;
    held?.next();
    return value;
  };

  const tokenOf = (character: string): Token | undefined => {
    if (character === "," || character === "]" || (character === "[" && place === "start")) return character;
    return valueStart.test(character) ? "value" : undefined;
  };

  function* scan(text: string): Generator<string> {
    let start = 0;
    for (let at = 0; at < text.length; at += 1) {
      const character = text.charAt(at);
      if (inLiteral) {
        if (!literalEnd.test(character)) continue;
        inLiteral = false;
        yield take(text.slice(start, at));
      }
      if (isEscaped) isEscaped = false;
      else if (inString) {
        if (character === "\\") isEscaped = true;
        else if (character === '"') {
          inString = false;
          if (depth === 0) yield take(text.slice(start, at + 1));
        }
      } else if (depth > 0) {
        if (character === '"') inString = true;
        else if (character === "{" || character === "[") depth += 1;
        else if (character === "}" || character === "]") {
          depth -= 1;
          if (depth === 0) yield take(text.slice(start, at + 1));
        }
      } else if (character === " " || character === "\n" || character === "\r" || character === "\t") {
        blank += 1;
        if (blank > maxBytes) throw bodyTooLarge(maxBytes);
      } else {
        blank = 0;
        const token = tokenOf(character);
        const then = token && next[place][token];
        if (then === undefined) throw malformed("the body is not a stream of JSON values");
        place = then;
        if (token !== "value") continue;
        start = at;
        if (character === '"') inString = true;
        else if (character === "{" || character === "[") depth = 1;
        else inLiteral = true;
      }
    }
    if (depth > 0 || inString || inLiteral) keep(text.slice(start));
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
  if (inLiteral) yield take("");
  if (depth > 0 || inString || place === "array" || place === "after comma" || place === "after element") {
    throw malformed("the body ends within a message");
  }
}

function malformed(description: string): Error {
  return invalidRequest([{ field: "", description }], "MALFORMED_JSON");
}
