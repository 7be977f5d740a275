import { TextDecoder } from "node:util";
import { invalidArgument } from "../../../runtime/errors.ts";

/** The bytes of one file, in pieces of any size. */
export type Bytes = AsyncIterable<Uint8Array>;

/** Long enough for every signature below. */
const HEAD_BYTES = 4;

const otherFiles: readonly (readonly [signature: readonly number[], message: string])[] = [
  [[0x50, 0x4b, 3, 4], "is a ZIP archive, such as an Excel workbook (.xlsx): save it as CSV and send that"],
  [[0xd0, 0xcf, 0x11, 0xe0], "is an Excel workbook (.xls): save it as CSV and send that"],
  [[0x1f, 0x8b], "is compressed with gzip: unpack it, or send it with the header Content-Encoding: gzip"],
  [[0x25, 0x50, 0x44, 0x46], "is a PDF: send CSV or NDJSON"],
  [[0x2d, 0x2d], "is a multipart form: send the file alone as the body (with curl --data-binary instead of -F)"],
  [[0, 0, 0xfe, 0xff], "is encoded in UTF-32: save it as UTF-8"],
  [[0xff, 0xfe, 0, 0], "is encoded in UTF-32: save it as UTF-8"],
];

const byteOrderMarks: readonly (readonly [mark: readonly number[], charset: string])[] = [
  [[0xef, 0xbb, 0xbf], "utf-8"],
  [[0xfe, 0xff], "utf-16be"],
  [[0xff, 0xfe], "utf-16le"],
];

/** The charset of a content type; undefined if it has none. */
export function charsetOf(contentType: string): string | undefined {
  return /;\s*charset\s*=\s*("[^"]*"|[^;\s]+)/i.exec(contentType)?.[1]?.replaceAll('"', "").trim();
}

/**
 * Converts the file to UTF-8 without a byte order mark. The encoding is given by a byte order mark, else by `charset`,
 * else it is UTF-8. Bytes that are invalid in the encoding become bytes that are invalid UTF-8, so that the reader can
 * report them with their line.
 *
 * @throws ConnectError INVALID_ARGUMENT if the encoding is unknown or the file is not text
 */
export async function* toUtf8(chunks: Bytes, charset: string | undefined): AsyncGenerator<Uint8Array> {
  const declared = decoderOf(charset ?? "utf-8");
  let decoder: TextDecoder | undefined;
  for await (const chunk of withHead(chunks)) {
    let data = chunk;
    if (decoder === undefined) {
      refuseOtherFiles(data, charset);
      const [mark, marked] = byteOrderMarks.find(([bytes]) => startsWith(data, bytes)) ?? [];
      decoder = marked === undefined ? declared : decoderOf(marked);
      data = data.subarray(mark?.length ?? 0);
    }
    yield decoder.encoding === "utf-8" ? data : encode(decoder.decode(data, { stream: true }));
  }
  if (decoder !== undefined && decoder.encoding !== "utf-8") {
    yield encode(decoder.decode());
  }
}

function decoderOf(label: string): TextDecoder {
  try {
    return new TextDecoder(label, { ignoreBOM: true });
  } catch {
    const description = `the charset ${JSON.stringify(label)} is not supported: use utf-8, utf-16le, windows-1252 or another encoding of the WHATWG Encoding Standard`;
    throw invalidArgument([{ field: "file.content_type", description }]);
  }
}

function refuseOtherFiles(head: Uint8Array, charset: string | undefined): void {
  const [, message] = otherFiles.find(([signature]) => startsWith(head, signature)) ?? [];
  if (message !== undefined) {
    throw invalidArgument([{ field: "file", description: message }]);
  }
  if (charset === undefined && (head[0] === 0 || head[1] === 0)) {
    const description =
      "looks like UTF-16 without a byte order mark: save it as UTF-8, or name the encoding in the content type: charset=utf-16le";
    throw invalidArgument([{ field: "file", description }]);
  }
}

/** Returns the same bytes with a first piece of at least {@link HEAD_BYTES}, if the file has as many. */
async function* withHead(chunks: Bytes): AsyncGenerator<Uint8Array> {
  let head: Uint8Array | undefined = new Uint8Array();
  for await (const chunk of chunks) {
    if (head === undefined) {
      yield chunk;
    } else if (head.length + chunk.length < HEAD_BYTES) {
      head = Buffer.concat([head, chunk]);
    } else {
      yield head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      head = undefined;
    }
  }
  if (head !== undefined) {
    yield head;
  }
}

/** Decoders replace invalid bytes with U+FFFD; the byte 0xFF never occurs in UTF-8. */
function encode(text: string): Uint8Array {
  const pieces = text.split("\uFFFD").flatMap((piece) => [Buffer.of(0xff), Buffer.from(piece)]);
  return Buffer.concat(pieces.slice(1));
}

function startsWith(data: Uint8Array, bytes: readonly number[]): boolean {
  return bytes.every((byte, at) => data[at] === byte);
}
