import { expect, test } from "@jest/globals";
import { PAGE_BYTES } from "../../../runtime/api/read-page.ts";
import { randomNumbers, testSeed } from "../../../runtime/testing/random.ts";
import { mergePages } from "./merge-pages.ts";

const how = { size: 4, idOf: (id: string) => id, bytesOf: () => 10 };

test("merges the rows of all services, the highest id first", () => {
  const parts = [
    { rows: ["f", "c"], more: false },
    { rows: [], more: false },
    { rows: ["e", "d"], more: false },
  ];
  expect(mergePages(parts, how)).toEqual({ rows: ["f", "e", "d", "c"], more: false });
});

test("ends where the next rows of a service are unknown", () => {
  const parts = [
    { rows: ["f", "e"], more: true },
    { rows: ["g", "b"], more: false },
  ];
  expect(mergePages(parts, how)).toEqual({ rows: ["g", "f", "e"], more: true });
});

test("ends at the size of the page and at its bytes, but not before its first row", () => {
  const parts = [{ rows: ["f", "e", "d", "c", "b"], more: false }];
  expect(mergePages(parts, how)).toEqual({ rows: ["f", "e", "d", "c"], more: true });
  expect(mergePages(parts, { ...how, bytesOf: () => PAGE_BYTES / 2 })).toEqual({ rows: ["f", "e"], more: true });
  expect(mergePages(parts, { ...how, bytesOf: () => PAGE_BYTES * 2 })).toEqual({ rows: ["f"], more: true });
});

test("page after page, every row is seen once and in order, whatever each service returns at a time", () => {
  const random = randomNumbers(testSeed);
  for (let round = 0; round < 200; round++) {
    const ids = Array.from({ length: 30 }, (_, i) => String.fromCharCode(200 + i)).reverse();
    const owners = new Map(ids.map((id) => [id, random(3)]));
    const seen: string[] = [];
    for (let more = true, before = "\uffff"; more; ) {
      const parts = [0, 1, 2].map((service) => {
        const left = ids.filter((id) => owners.get(id) === service && id < before);
        const rows = left.slice(0, 1 + random(4));
        return { rows, more: rows.length < left.length };
      });
      const page = mergePages(parts, how);
      seen.push(...page.rows);
      ({ more } = page);
      before = seen.at(-1) ?? "";
    }
    expect({ testSeed, seen }).toEqual({ testSeed, seen: ids });
  }
});
