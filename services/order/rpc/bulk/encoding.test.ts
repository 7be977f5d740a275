import { describe, expect, test } from "@jest/globals";
import { charsetOf, toUtf8 } from "./encoding.ts";

async function read(file: Uint8Array, charset?: string, size = 1): Promise<string> {
  async function* pieces() {
    for (let at = 0; at < file.length; at += size) {
      yield file.subarray(at, at + size);
    }
  }
  return Buffer.concat(await Array.fromAsync(toUtf8(pieces(), charset))).toString("latin1");
}

const utf8 = (text: string) => Buffer.from(text).toString("latin1");
const utf16be = (text: string) => Buffer.from(text, "utf16le").swap16();

describe("a file's encoding", () => {
  test.each([
    ["UTF-8", Buffer.from("sku Zoë €"), undefined],
    ["UTF-8 with a byte order mark", Buffer.from("\uFEFFsku Zoë €"), undefined],
    ["UTF-16LE with a byte order mark", Buffer.from("\uFEFFsku Zoë €", "utf16le"), undefined],
    ["UTF-16BE with a byte order mark", utf16be("\uFEFFsku Zoë €"), undefined],
    ["UTF-16BE by name", utf16be("sku Zoë €"), "utf-16be"],
    ["Windows-1252 by name", Buffer.from("sku Zo\xeb \x80", "latin1"), "windows-1252"],
    ["UTF-8 with a mark under another name", Buffer.from("\uFEFFsku Zoë €"), "windows-1252"],
  ])("is honoured: %s", async (_, file, charset) => {
    for (const size of [1, 3, 1000]) {
      expect(await read(file, charset, size)).toBe(utf8("sku Zoë €"));
    }
  });

  test("decodes invalid bytes to invalid UTF-8", async () => {
    const odd = Buffer.concat([Buffer.from("a", "utf16le"), Buffer.of(0x00, 0xd8), Buffer.from("b\n", "utf16le")]);
    expect(await read(odd, "utf-16le")).toBe("a\xffb\n");
    expect(await read(Buffer.from("a\xebb", "latin1"))).toBe("a\xebb");
  });

  test.each([
    ["utf-7", Buffer.from("sku"), /charset "utf-7" is not supported/],
    [undefined, Buffer.from("PK\u0003\u0004abc"), /Excel workbook \(\.xlsx\)/],
    [undefined, Buffer.from("------boundary\r\nContent-Disposition: form-data"), /multipart form/],
    [undefined, Buffer.of(0x1f, 0x8b, 8, 0, 0), /Content-Encoding: gzip/],
    [undefined, Buffer.from("sku,x", "utf16le"), /UTF-16 without a byte order mark/],
    [undefined, Buffer.of(0xff, 0xfe, 0, 0, 0x73, 0, 0, 0), /UTF-32/],
  ])("is refused by name: %s %p", async (charset, file, message) => {
    await expect(read(file, charset)).rejects.toThrow(message);
  });

  test("is read from the content type", () => {
    expect(charsetOf("text/csv")).toBeUndefined();
    expect(charsetOf('text/csv; header=present; Charset="Windows-1252"')).toBe("Windows-1252");
    expect(charsetOf("text/csv;charset=utf-16le;x=y")).toBe("utf-16le");
  });
});
