import { describe, expect, test } from "@jest/globals";
import { TemplateError } from "./template-lexer.ts";
import { parseTemplate, segmentRange } from "./template-parser.ts";

const bad: [template: string, column: number, reason: string][] = [
  ["", 1, `expected "/" at the start, got the end`],
  ["a", 1, `expected "/" at the start, got "a"`],
  ["/", 2, "expected a segment, got the end"],
  ["/a/", 4, "expected a segment, got the end"],
  ["//a", 2, `expected a segment, got "/"`],
  ["/{1}", 3, `"1" is not a field name`],
  ["/{-}", 3, `"-" is not a field name`],
  ["/{}", 3, `expected a field path, got "}"`],
  ["/{a.}", 5, `"" is not a field name`],
  ["/{a.1}", 5, `"1" is not a field name`],
  ["/a?b=c", 3, `unexpected character "?"`],
  ["/a#b", 3, `unexpected character "#"`],
  ["/a b", 3, `unexpected character " "`],
  ["/ä", 2, `unexpected character "ä"`],
  ["/a/b*", 5, `unexpected "*"`],
  ["/*b", 3, `unexpected "b"`],
  ["/***", 4, `unexpected "*" after "**"`],
  ["/a/**/*", 6, `"**" must be the last segment`],
  ["/{a=**}/b", 8, `"**" must be the last segment`],
  ["/{a=b/**/c}", 9, `"**" must be the last segment`],
  ["/{a}/{a}", 6, `variable "a" is there twice`],
  ["/{a={b}}", 5, "a variable cannot be inside a variable"],
  ["/{a=}", 5, `expected a segment, got "}"`],
  ["/{a", 4, `expected "}", got the end`],
  ["/a}", 3, `unexpected "}"`],
  ["/{a=b=}c", 8, `unexpected "c"`],
  ["/{=a}", 3, `expected a field path, got "="`],
  ["/a:=/b", 5, `unexpected "/"`],
  ["/a:", 4, "expected a verb, got the end"],
  ["/a:b/c", 5, `unexpected "/"`],
  ["/:a", 2, `expected a segment, got ":"`],
  ["/%zz", 2, "malformed percent-encoding"],
  ["/a%2", 3, "malformed percent-encoding"],
];

describe("parseTemplate", () => {
  test.each(bad)("should refuse %p at column %p: %s", (template, column, reason) => {
    let error: unknown;
    try {
      parseTemplate(template);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(TemplateError);
    expect(error).toMatchObject({
      column,
      template,
      message: `path template "${template}", column ${column}: ${reason}`,
    });
  });

  test("should parse literals, stars, variables and a verb", () => {
    expect(parseTemplate("/v1/{parent=shelves/*}/books/{book.id}/**:move")).toEqual({
      source: "/v1/{parent=shelves/*}/books/{book.id}/**:move",
      segments: [
        { kind: "literal", text: "v1" },
        { kind: "literal", text: "shelves" },
        { kind: "*" },
        { kind: "literal", text: "books" },
        { kind: "*" },
        { kind: "**" },
      ],
      verb: "move",
      variables: [
        { fieldPath: ["parent"], start: 1, end: 3, multi: true, column: 5 },
        { fieldPath: ["book", "id"], start: 4, end: 5, multi: false, column: 30 },
      ],
    });
  });

  test("should allow colons in a verb", () => {
    expect(parseTemplate("/v1/{name}:a:b")).toMatchObject({ verb: "a:b" });
  });

  test("should decode literals", () => {
    expect(parseTemplate("/a%20b").segments).toEqual([{ kind: "literal", text: "a b" }]);
  });

  test.each([
    ["/a=b", ["a=b"], ""],
    ["/=", ["="], ""],
    ["/x/=a=%3D=b", ["x", "=a===b"], ""],
    ["/{name=k=v/*}", ["k=v", "*"], ""],
    ["/{name==}/=", ["=", "="], ""],
    ["/a:b=c", ["a"], "b=c"],
  ])("should allow = in literals: %s", (template, segments, verb) => {
    const parsed = parseTemplate(template);
    expect(parsed.segments.map((segment) => (segment.kind === "literal" ? segment.text : segment.kind))).toEqual(
      segments,
    );
    expect(parsed.verb).toBe(verb);
  });

  test("should treat a variable that ends in ** as open-ended", () => {
    expect(parseTemplate("/{name=a/**}").variables).toEqual([
      { fieldPath: ["name"], start: 0, end: -1, multi: true, column: 2 },
    ]);
  });

  test("should accept ** before the end by option, and count the following segments from the end", () => {
    const template = "/v1/{parent=projects/*/databases/*/documents/**}/{collection_id}:x";
    const { segments, variables, verb } = parseTemplate(template, { extendedTemplates: true });
    expect(segments).toHaveLength(8);
    expect(verb).toBe("x");
    expect(variables).toEqual([
      { fieldPath: ["parent"], start: 1, end: -2, multi: true, column: 5 },
      { fieldPath: ["collection_id"], start: -2, end: -1, multi: false, column: 50 },
    ]);
    expect(variables.map((variable) => segmentRange(variable, 10))).toEqual([
      [1, 9],
      [9, 10],
    ]);
  });

  test("should accept / by option", () => {
    expect(parseTemplate("/", { extendedTemplates: true })).toMatchObject({ segments: [], variables: [], verb: "" });
    expect(() => parseTemplate("/a/", { extendedTemplates: true })).toThrow(/column 4/);
  });

  test.each([
    ["/**/a/**", 7],
    ["/{a=**}/{b=x/**}", 14],
  ])("should reject a second ** whatever the option: %s", (template, column) => {
    expect(() => parseTemplate(template, { extendedTemplates: true })).toThrow(
      `column ${column}: "**" can be there only once`,
    );
  });
});
