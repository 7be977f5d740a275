import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { reasonOf } from "../errors.ts";
import { type Filter, parseFilter } from "./filter-parser.ts";

/** The tree as text, every operator with its parentheses. */
function show(filter: Filter | undefined): string {
  if (filter === undefined) {
    return "";
  }
  switch (filter.kind) {
    case "restriction":
      return `${filter.field.join(".")} ${filter.comparator} ${filter.value.parts.join("*")}`;
    case "not":
      return `NOT(${show(filter.operand)})`;
    default:
      return `${filter.kind}(${filter.operands.map(show).join(", ")})`;
  }
}

test.each([
  ["", ""],
  ["  \n ", ""],
  ["a=1", "a = 1"],
  ["a != -1.5", "a != -1.5"],
  ['a : "x y"', "a : x y"],
  ["a = 'say \"hi\"'", 'a = say "hi"'],
  ['a = "back\\\\slash \\"quote\\""', 'a = back\\slash "quote"'],
  ["a.b.c >= 2026-01-31T09:30:00.5+02:00", "a.b.c >= 2026-01-31T09:30:00.5+02:00"],
  ['labels."odd key" = x', "labels.odd key = x"],
  ["a = 1 AND b = 2 AND c = 3", "and(a = 1, b = 2, c = 3)"],
  ["a = 1 b = 2", "and(a = 1, b = 2)"],
  ["a = 1 OR b = 2 AND c = 3", "and(or(a = 1, b = 2), c = 3)"],
  ["a = 1 AND b = 2 OR c = 3", "and(a = 1, or(b = 2, c = 3))"],
  ["(a = 1 AND b = 2) OR c = 3", "or(and(a = 1, b = 2), c = 3)"],
  ["NOT a = 1 AND -b = 2", "and(NOT(a = 1), NOT(b = 2))"],
  ["NOT (a = 1 OR b = 2)", "NOT(or(a = 1, b = 2))"],
  ["-(a = 1)", "NOT(a = 1)"],
  ["state = (PAID OR SHIPPED)", "or(state = PAID, state = SHIPPED)"],
  ["n = (-5 OR 3)", "or(n = -5, n = 3)"],
  ["state = (NOT PAID AND -(A OR B))", "and(NOT(state = PAID), NOT(or(state = A, state = B)))"],
  ["(((a = 1)))", "a = 1"],
  ["ANDROID = 1", "ANDROID = 1"],
  ["größe = ßü", "größe = ßü"],
  ["a = a:b", "a = a:b"],
])("reads %j as %j", (filter, expected) => {
  expect(show(parseFilter(filter))).toBe(expected);
});

test.each([
  ["a = x*", ["x", ""]],
  ['a = "*x*"', ["", "x", ""]],
  ["a = *", ["", ""]],
  ['a = "x\\*y"', ["x*y"]],
  ["a = x\\*y*", ["x*y", ""]],
  ['a = ""', [""]],
])("the value of %j is %j with wildcards between", (filter, parts) => {
  expect(parseFilter(filter)).toMatchObject({ value: { parts } });
});

test.each([
  ["a", "column 2: expected a comparison after a"],
  ["a =", "column 4: expected a value"],
  ["a = AND", "column 5: expected a value, not AND"],
  ["a = = 1", 'column 5: unexpected "="'],
  ["= 1", "column 1: expected a field, not ="],
  ["a. = 1", "column 4: expected a field, not ="],
  ["a = 1 AND", "column 10: expected a field"],
  ["a = 1 OR OR b = 2", "column 13: expected a comparison after OR"],
  [
    "a = 1 and b = 2",
    "column 11: expected a comparison after and: one of = != < <= > >= :; to combine comparisons write AND",
  ],
  ["(a = 1", "column 1: the parenthesis is not closed"],
  ["a = 1)", "column 6: unexpected )"],
  ["a = ()", "column 6: expected a value, not )"],
  ['ä = "x', "column 5: the string is not closed"],
  ["a = 'it''", "column 9: the string is not closed"],
  ["a = b, c = d", 'column 6: unexpected ","'],
  ["startsWith(a)", "column 1: startsWith looks like a function"],
  ["😀😀 = (", "column 7: expected a value"],
  ["a = \\", 'column 5: unexpected "\\\\"'],
])("refuses %j at %s", (filter, message) => {
  expect(() => parseFilter(filter)).toThrow(message);
});

test("a filter that is too long, too deep, too big or too wild is refused", () => {
  expect(() => parseFilter(`a = ${"x".repeat(5000)}`)).toThrow("at most 4096 characters");
  expect(() => parseFilter(`${"(".repeat(40)}a = 1${")".repeat(40)}`)).toThrow("nested more than 32 deep");
  expect(() => parseFilter(`a = ${"(".repeat(40)}1${")".repeat(40)}`)).toThrow("nested more than 32 deep");
  expect(() => parseFilter("a=1 ".repeat(101))).toThrow("more than 100 comparisons");
  expect(() => parseFilter('a = "*0*E*A*x"')).toThrow("more than 2 wildcards in a value");
  expect(() => parseFilter("a = x* ".repeat(9))).toThrow("more than 8 values with wildcards");
});

test("any text is either read or refused as INVALID_FILTER", () => {
  const piece = fc.constantFrom(..."ab.=<>!:()-*\"'\\ ,".split(""), "AND", "OR", "NOT", " ", "😀", "12");
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(piece, { maxLength: 30 }).map((it) => it.join("")),
  );
  fc.assert(
    fc.property(text, (filter) => {
      try {
        parseFilter(filter);
      } catch (error) {
        expect(reasonOf(error)).toBe("INVALID_FILTER");
      }
    }),
    { numRuns: 2000 },
  );
});

test("what a tree is written as is read as that tree", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 6 });
  const quoted = (it: string) => `"${it.replace(/[\\"*]/g, "\\$&")}"`;
  const { tree } = fc.letrec<{ tree: Filter; leaf: Filter }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      tie("leaf"),
      tie("leaf"),
      fc.oneof(
        fc.record({
          kind: fc.constantFrom("and" as const, "or" as const),
          operands: fc.array(tie("tree"), { minLength: 2, maxLength: 3 }),
        }),
        fc.record({ kind: fc.constant("not" as const), operand: tie("tree") }),
      ),
    ),
    leaf: fc.record({
      kind: fc.constant("restriction" as const),
      field: fc.array(text, { minLength: 1, maxLength: 3 }),
      comparator: fc.constantFrom(
        "=" as const,
        "!=" as const,
        "<" as const,
        "<=" as const,
        ">" as const,
        ">=" as const,
        ":" as const,
      ),
      value: fc.record({ parts: fc.array(text, { minLength: 1, maxLength: 3 }) }),
      at: fc.constant({ field: 0, value: 0 }),
    }),
  }));
  const write = (node: Filter): string => {
    switch (node.kind) {
      case "restriction": {
        const value = `"${node.value.parts.map((it) => quoted(it).slice(1, -1)).join("*")}"`;
        return `${node.field.map(quoted).join(".")} ${node.comparator} ${value}`;
      }
      case "not":
        return `NOT (${write(node.operand)})`;
      default:
        return node.operands.map((it) => `(${write(it)})`).join(` ${node.kind.toUpperCase()} `);
    }
  };
  fc.assert(
    fc.property(tree, (node) => {
      expect(show(parseFilter(write(node)))).toBe(show(node));
    }),
  );
});
