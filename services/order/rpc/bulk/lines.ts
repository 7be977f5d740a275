import type { Bytes } from "./encoding.ts";

/** One line of a file, without its line feed. */
export interface Line {
  /** The first line is 1. */
  readonly lineNumber: number;
  /** Empty if the line is too long. */
  readonly text: string;
  /** Why the line is unusable. */
  readonly problem: string | undefined;
}

const NOT_UTF8 =
  "is not valid in the file's encoding: save the file as UTF-8, or name its encoding in the content type, for example charset=windows-1252";

/** Splits UTF-8 at line feeds. Buffers at most one line, of which at most `maxBytes` are kept. */
export async function* readLines(chunks: Bytes, maxBytes: number): AsyncGenerator<Line> {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
  let parts: Uint8Array[] = [];
  let length = 0;
  let lineNumber = 0;
  const add = (part: Uint8Array) => {
    length += part.length;
    if (length <= maxBytes) {
      parts.push(part);
    } else {
      parts = [];
    }
  };
  const take = (): Line => {
    lineNumber += 1;
    const tooLong = length > maxBytes;
    const bytes = parts.length === 1 ? parts[0] : Buffer.concat(parts);
    parts = [];
    length = 0;
    if (tooLong) {
      return { lineNumber, text: "", problem: `is longer than ${maxBytes} bytes` };
    }
    try {
      return { lineNumber, text: strict.decode(bytes), problem: undefined };
    } catch {
      return { lineNumber, text: lenient.decode(bytes), problem: NOT_UTF8 };
    }
  };
  for await (const chunk of chunks) {
    let rest = chunk;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      add(rest.subarray(0, end));
      yield take();
      rest = rest.subarray(end + 1);
    }
    add(rest);
  }
  if (length > 0) {
    yield take();
  }
}
