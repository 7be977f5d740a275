import type { ConnectError } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { BadRequestSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { parseOrderBy } from "./order-by.ts";

const FIELDS = ["create_time", "total", "customer.id"] as const;

test("fields are sorted by ascending unless they say desc", () => {
  expect(parseOrderBy(" create_time  desc ,total, customer.id asc", FIELDS)).toEqual([
    { field: "create_time", direction: "desc" },
    { field: "total", direction: "asc" },
    { field: "customer.id", direction: "asc" },
  ]);
});

test.each(["", "  "])("%j leaves the order to the method", (text) => {
  expect(parseOrderBy(text, FIELDS)).toEqual([]);
});

test("every wrong term is named, with what is allowed", () => {
  let error: ConnectError | undefined;
  try {
    parseOrderBy("foo, total down, create_time, create_time desc,", FIELDS);
  } catch (thrown) {
    error = thrown as ConnectError;
  }
  expect(error?.findDetails(BadRequestSchema)[0]?.fieldViolations.map((it) => it.description)).toEqual([
    'cannot sort by "foo"; known fields: create_time, total, customer.id',
    '"total down" is not a field with "desc" or nothing after it',
    "create_time occurs twice",
    'cannot sort by ""; known fields: create_time, total, customer.id',
  ]);
});
