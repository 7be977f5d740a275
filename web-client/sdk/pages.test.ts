import { describe, expect, test } from "@jest/globals";
import { paged } from "./pages.ts";

function book(pages: number[][]) {
  const asked: string[] = [];
  const list = paged(
    async (token) => {
      asked.push(token);
      const index = token === "" ? 0 : Number(token);
      return { numbers: pages[index] ?? [], nextPageToken: index + 1 < pages.length ? String(index + 1) : "" };
    },
    (page) => page.numbers,
  );
  return { asked, list };
}

describe("a paged list", () => {
  test("iterates over all pages, including empty ones", async () => {
    const { list, asked } = book([[1, 2], [], [3]]);
    expect(await Array.fromAsync(list)).toEqual([1, 2, 3]);
    expect(asked).toEqual(["", "1", "2"]);
  });

  test("fetches a page only when it is read", async () => {
    const { list, asked } = book([[1, 2], [3]]);
    for await (const number of list) {
      if (number === 2) break;
    }
    expect(asked).toEqual([""]);
  });

  test("can be iterated again", async () => {
    const { list } = book([[1], [2]]);
    await Array.fromAsync(list);
    expect(await Array.fromAsync(list)).toEqual([1, 2]);
    expect((await Array.fromAsync(list.pages())).map((page) => page.numbers)).toEqual([[1], [2]]);
  });
});
