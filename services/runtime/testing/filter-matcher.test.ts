import { expect, test } from "@jest/globals";
import { createFilterMatcher, type MatchFilterField } from "./filter-matcher.ts";

interface Row {
  state?: string;
  name?: string;
  stock?: number | bigint;
  open?: 0 | 1;
  at?: number;
  labels?: Record<string, string>;
  skus?: string[];
  customer?: string;
}

const fields: Record<string, MatchFilterField<Row>> = {
  state: { type: "enum", values: { CONFIRMED: "c", CANCELLED: "x" }, get: (row) => row.state },
  name: { type: "string", get: (row) => row.name },
  stock: { type: "int", get: (row) => row.stock },
  open: { type: "bool", get: (row) => row.open },
  at: { type: "timestamp", get: (row) => row.at },
  labels: { type: "map", get: (row, key) => row.labels?.[key] },
  sku: { type: "string", repeated: true, get: (row) => row.skus ?? [] },
  "customer.id": { type: "string", get: (row) => row.customer },
};

const matches = (filter: string, row: Row) => createFilterMatcher(filter, fields)(row);
const noon = Date.UTC(2026, 0, 31, 12);

test.each<[string, Row]>([
  ["", {}],
  ["state = CONFIRMED", { state: "c" }],
  ["state : CONFIRMED", { state: "c" }],
  ["state != CONFIRMED", { state: "x" }],
  ["NOT state = CONFIRMED", {}],
  ["-state:*", {}],
  ["name = abc", { name: "abc" }],
  ['name = "a*"', { name: "abc" }],
  ['name = "a*c*e"', { name: "abcde" }],
  ['name != "a*"', { name: "xa" }],
  ['name = "a\\*"', { name: "a*" }],
  ["name = *", { name: "" }],
  ["name > B", { name: "a" }],
  ['name >= "\uffff"', { name: "😀" }],
  ["stock > 3.5", { stock: 4 }],
  ["stock <= -0.5", { stock: -1 }],
  ["stock >= -1.5", { stock: -1 }],
  ["stock != 3.5", { stock: 3 }],
  ["stock = 9223372036854775807", { stock: 2n ** 63n - 1n }],
  ["open = true", { open: 1 }],
  ["open != true", { open: 0 }],
  ['at = "2026-01-31T13:00:00+01:00"', { at: noon }],
  ["at < 2026-01-31T12:00:00.0005Z", { at: noon }],
  ["at > 2026-01-31T11:59:59.9995Z", { at: noon }],
  ["at >= 2026-01-31", { at: noon }],
  ["labels.colour = red", { labels: { colour: "red" } }],
  ['labels."a.b" = 1', { labels: { "a.b": "1" } }],
  ["labels.a.b = 1", { labels: { "a.b": "1" } }],
  ["labels:colour", { labels: { colour: "" } }],
  ["labels.colour:*", { labels: { colour: "" } }],
  ["labels.colour = r*", { labels: { colour: "red" } }],
  ["sku:A", { skus: ["B", "A"] }],
  ["sku = A*", { skus: ["B", "AB"] }],
  ["sku != A", { skus: ["B"] }],
  ["sku != A", {}],
  ["sku:*", { skus: ["A"] }],
  ["customer.id = 7", { customer: "7" }],
  ["customer.id = (6 OR 7) AND open = true", { customer: "7", open: 1 }],
])("%s lets %j through", (filter, row) => {
  expect(matches(filter, row)).toBe(true);
});

test.each<[string, Row]>([
  ["state = CONFIRMED", {}],
  ["state != CONFIRMED", {}],
  ["name = ABC", { name: "abc" }],
  ['name = "a*a"', { name: "a" }],
  ['name = "a*b*b"', { name: "ab" }],
  ['name != "a*"', {}],
  ["name < B", { name: "a" }],
  ["stock = 3.5", { stock: 3 }],
  ["stock != 3", {}],
  ["at = 2026-01-31T12:00:00.0005Z", { at: noon }],
  ["labels.colour != red", { labels: {} }],
  ["labels:size", { labels: { colour: "" } }],
  ["sku != A", { skus: ["A", "B"] }],
  ["sku:*", {}],
])("%s keeps %j back", (filter, row) => {
  expect(matches(filter, row)).toBe(false);
});

test.each([
  ["foo = 1", "column 1: unknown field foo; known fields: state, name, stock, open, at, labels.KEY, sku, customer.id"],
  ["name = x constructor = 1", "column 10: unknown field constructor"],
  ["state.x = 1", "unknown field state.x"],
  ["customer = 1", "unknown field customer"],
  ["state = PAID", "column 9: state cannot be PAID; it must be one of CONFIRMED, CANCELLED"],
  ["state = toString", "state cannot be toString"],
  ["state > CONFIRMED", "state cannot be ordered; compare it with = or !="],
  ["state = CON*", "state does not support wildcards"],
  ["name > a*", "name > does not support wildcards; a literal * is written \\*"],
  ["stock = many", "stock must be a whole number within 64 bits"],
  ["stock = 9223372036854775808", "stock must be a whole number within 64 bits"],
  ["stock = 1e3", "stock must be a whole number"],
  ["open = yes", "open must be true or false"],
  ["open < true", "open cannot be ordered"],
  ["at = yesterday", 'at must be an RFC 3339 time, such as "2026-01-31T09:30:00Z"'],
  ["at = 2026-02-30", "at must be an RFC 3339 time"],
  ["at = 2026-01-31T24:00:00Z", "at must be an RFC 3339 time"],
  ["labels = red", "labels is a map: write labels.KEY = VALUE or labels:KEY"],
  ["labels:*", "labels is a map"],
])("refuses %j: %s", (filter, message) => {
  expect(() => createFilterMatcher(filter, fields)).toThrow(message);
});
