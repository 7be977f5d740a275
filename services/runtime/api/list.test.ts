import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { type List, type ListKey, orderOf } from "./list.ts";

interface Row {
  readonly id: string;
  readonly total: number;
}

const id: ListKey<Row> = { sql: sql.ref("id"), kind: "text", of: (row) => row.id };
const total: ListKey<Row> = { sql: sql.ref("total"), kind: "integer", of: (row) => row.total };

const list: List<Row> = {
  method: "ListThings",
  sort: { id, total },
  unique: id,
  order: { by: [total], direction: "desc" },
  bytesOf: () => 1,
};

const directions = (...terms: Parameters<typeof orderOf>[1]) =>
  orderOf(list, terms).keys.map((key) => [key.sql === id.sql ? "id" : "total", key.direction]);

test("without terms the list's own order applies", () => {
  expect(directions()).toEqual([
    ["total", "desc"],
    ["id", "desc"],
  ]);
});

test("the unique key ends every order, in the direction of the last term", () => {
  expect(directions({ field: "total", direction: "asc" })).toEqual([
    ["total", "asc"],
    ["id", "asc"],
  ]);
});

test("nothing sorts behind a unique key", () => {
  const terms = [
    { field: "id", direction: "desc" },
    { field: "total", direction: "asc" },
  ] as const;
  expect(directions(...terms)).toEqual([["id", "desc"]]);
});

test("a row's page keys are its values in the order", () => {
  const { kinds, keysOf } = orderOf(list, []);
  expect([kinds, keysOf({ id: "a", total: 7 })]).toEqual([
    ["integer", "text"],
    [7, "a"],
  ]);
});
