import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { decodePageToken } from "./page-token.ts";
import { PAGE_BYTES, readPage } from "./read-page.ts";

const query = ["List"];

/** Lists rows whose index is their key, and counts what is read. */
function listOf(sizes: readonly number[]) {
  const reads: number[] = [];
  const page = (size: number, token = "") =>
    readPage<number, [number]>({
      size,
      query,
      after: decodePageToken(token, query, ["integer"])?.map(Number) as [number] | undefined,
      keysOf: (row) => [row],
      read: async (after, limit) => {
        const from = after === undefined ? 0 : after[0] + 1;
        const found = sizes.map((_, i) => i).slice(from, from + limit);
        reads.push(found.length);
        return found;
      },
      bytesOf: (row) => sizes[row] ?? 0,
    });
  return { page, reads };
}

test("pages have every row once, in order, and end at the size or at the bytes, with at least one row", async () => {
  const bytes = fc.oneof(fc.nat(1000), fc.integer({ min: PAGE_BYTES / 8, max: PAGE_BYTES * 2 }));
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { maxLength: 200 }), fc.integer({ min: 1, max: 150 }), async (sizes, size) => {
      const { page } = listOf(sizes);
      const seen: number[] = [];
      let token = "";
      do {
        const { rows, nextPageToken } = await page(size, token);
        const total = rows.reduce((sum, row) => sum + (sizes[row] ?? 0), 0);
        expect(rows.length <= size && (rows.length <= 1 || total <= PAGE_BYTES)).toBe(true);
        expect(rows.length > 0 || sizes.length === 0).toBe(true);
        const next = sizes[(rows.at(-1) ?? 0) + 1];
        if (nextPageToken !== "" && rows.length < size) {
          expect(total + (next ?? 0)).toBeGreaterThan(PAGE_BYTES);
        }
        seen.push(...rows);
        token = nextPageToken;
      } while (token !== "");
      expect(seen).toEqual(sizes.map((_, i) => i));
    }),
  );
});

test("a page of small rows is one read, and a page of large rows does not read all that was asked for", async () => {
  const small = listOf(Array.from({ length: 100 }, () => 10));
  await small.page(50);
  expect(small.reads).toEqual([51]);
  const large = listOf(Array.from({ length: 1000 }, () => PAGE_BYTES / 128));
  const { rows } = await large.page(1000);
  expect(rows).toHaveLength(128);
  expect(large.reads.reduce((sum, read) => sum + read, 0)).toBeLessThan(140);
});
