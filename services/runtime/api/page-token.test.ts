import { createHash } from "node:crypto";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { reasonOf } from "../errors.ts";
import { decodePageToken, encodePageToken, type PageKey, pageSizeOf } from "./page-token.ts";

const key: fc.Arbitrary<PageKey> = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.maxSafeInteger(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
);
const kindsOf = (keys: readonly PageKey[]) => keys.map((it) => (typeof it === "string" ? "text" : "integer"));

function refusal(token: string, query: readonly string[], kinds: readonly ("text" | "integer")[]) {
  try {
    decodePageToken(token, query, kinds);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

test("a token gives the values that it was made of", () => {
  fc.assert(
    fc.property(fc.array(key, { minLength: 1, maxLength: 4 }), fc.array(fc.string()), (keys, query) => {
      expect(decodePageToken(encodePageToken(query, keys), query, kindsOf(keys))).toEqual(keys);
    }),
  );
});

test("a token of another query is refused", () => {
  fc.assert(
    fc.property(fc.array(fc.string()), fc.array(fc.string()), (query, other) => {
      fc.pre(JSON.stringify(query) !== JSON.stringify(other));
      expect(refusal(encodePageToken(query, ["a"]), other, ["text"])).toBe("INVALID_PAGE_TOKEN");
    }),
  );
});

test("a token with one byte changed, or cut short, is refused", () => {
  const token = encodePageToken(["ListOrders"], ["2026", 17]);
  const bytes = Buffer.from(token, "base64url");
  for (let i = 0; i < bytes.length; i++) {
    const changed = Buffer.from(bytes);
    changed[i] = (changed[i] ?? 0) ^ 1;
    expect(refusal(changed.toString("base64url"), ["ListOrders"], ["text", "integer"])).toBe("INVALID_PAGE_TOKEN");
    const cut = bytes.subarray(0, i).toString("base64url");
    expect(cut === "" ? "INVALID_PAGE_TOKEN" : refusal(cut, ["ListOrders"], ["text", "integer"])).toBe(
      "INVALID_PAGE_TOKEN",
    );
  }
});

test("any other text is refused", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (token) => {
      expect(refusal(token, [], ["text"])).toBe("INVALID_PAGE_TOKEN");
    }),
  );
});

test("a forged token with a right hash is refused unless its values are of the list's types and in range", () => {
  const forged = (body: string | Uint8Array) => {
    const bytes = Buffer.from(body);
    const hash = createHash("sha256").update("[]\n").update(bytes).digest().subarray(0, 12);
    return Buffer.concat([Buffer.of(1), hash, bytes]).toString("base64url");
  };
  expect(decodePageToken(forged('["a",["17"]]'), [], ["text", "integer"])).toEqual(["a", 17]);
  const bodies = [
    "",
    "[",
    "null",
    "17",
    '"a"',
    "{}",
    '{"length":1,"0":"a"}',
    "[null]",
    "[17]",
    "[{}]",
    "[[]]",
    "[[[]]]",
    "[[17]]",
    '[["17","18"]]',
    '[[""]]',
    '[["NaN"]]',
    '[["1.5"]]',
    '[["1e3"]]',
    '[["0x10"]]',
    '[[" 1"]]',
    `[["${2n ** 63n}"]]`,
    `[["-${2n ** 63n + 1n}"]]`,
    `[["${"9".repeat(2000)}"]]`,
    '["\\ud800"]',
    Uint8Array.of(0xff, 0xfe),
  ];
  for (const body of bodies) {
    for (const kind of ["integer", "text"] as const) {
      expect([body, refusal(forged(body), [], [kind])]).toEqual([body, "INVALID_PAGE_TOKEN"]);
    }
  }
});

test("values of other types than the list's are refused", () => {
  expect(refusal(encodePageToken([], ["1"]), [], ["integer"])).toBe("INVALID_PAGE_TOKEN");
  expect(refusal(encodePageToken([], [1]), [], ["text"])).toBe("INVALID_PAGE_TOKEN");
  expect(refusal(encodePageToken([], [1]), [], ["integer", "text"])).toBe("INVALID_PAGE_TOKEN");
});

test("an empty token is the first page", () => {
  expect(decodePageToken("", ["q"], ["text"])).toBeUndefined();
});

test("a page has 50 rows unless the caller says otherwise, and 1,000 at most", () => {
  expect([pageSizeOf(0), pageSizeOf(1), pageSizeOf(1000), pageSizeOf(1001)]).toEqual([50, 1, 1000, 1000]);
  expect(() => pageSizeOf(-1)).toThrow("page_size");
});
