import type { ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "@jest/globals";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.js";
import { parseMultipart } from "./form-data.ts";

const type = "multipart/form-data; boundary=x";

const part = (headers: string, data = "a"): string => `--x\r\n${headers}\r\n\r\n${data}\r\n`;

const named = (name: string, data?: string): string => part(`Content-Disposition: form-data; name="${name}"`, data);

const parse = (body: string, contentType = type): [name: string, data: string][] =>
  parseMultipart(Buffer.from(body), contentType).map(({ name, data }) => [name, data.toString("latin1")]);

const problemOf = (body: string, contentType = type): string | undefined => {
  try {
    parse(body, contentType);
    return undefined;
  } catch (error) {
    const [details] = (error as ConnectError).findDetails(BadRequestSchema);
    return details?.fieldViolations[0]?.description;
  }
};

describe("parts", () => {
  test.each([
    ["one after the other", `${named("a", "1")}${named("b", "2")}--x--\r\n`],
    ["without a last line end", `${named("a", "1")}${named("b", "2")}--x--`],
    ["with a line feed at the end", `${named("a", "1")}${named("b", "2")}--x--\n`],
    ["between a preamble and an epilogue", `hello\r\n${named("a", "1")}${named("b", "2")}--x--\r\nbye\r\n--x\r\n`],
    [
      "with white space after boundaries",
      `${named("a", "1")}${named("b", "2")}--x-- \t\r\n`.replaceAll("--x\r", "--x \t\r"),
    ],
  ])("are read %s", (_, body) => {
    expect(parse(body)).toEqual([
      ["a", "1"],
      ["b", "2"],
    ]);
  });

  test("keep lines that only begin with the boundary", () => {
    const data = "1\r\n--xylophone\r\n--x-\r\n--x--y\r\n --x\r\n--x\n--x";
    expect(parse(`${named("a", data)}--x--`)).toEqual([["a", data]]);
  });

  test("keep every byte, with the header of an empty form field or of a file", () => {
    const bytes = Buffer.from([0, 13, 10, 255, 45, 45, 13, 10]);
    const head = 'content-disposition:form-data;name="a";filename="b.bin"\r\nCONTENT-TYPE: image/png';
    const body = Buffer.concat([
      Buffer.from(`--x\r\n${head}\r\n\r\n`),
      bytes,
      Buffer.from(`\r\n${named("e", "")}--x--`),
    ]);
    expect(parseMultipart(body, type)).toEqual([
      { name: "a", fileName: "b.bin", contentType: "image/png", data: bytes },
      { name: "e", fileName: undefined, contentType: undefined, data: Buffer.alloc(0) },
    ]);
  });

  test.each([
    ["form-data; name=foo", "foo", undefined],
    ["form-data; filename=b.bin; name=foo", "foo", "b.bin"],
    ['form-data; name="a\\"b\\\\%22"', 'a"b\\"', undefined],
    ['form-data; filename="x; name=evil"; name="good"', "good", "x; name=evil"],
    ['form-data; filename="\\"; name=\\"evil"; name="good"', "good", '"; name="evil'],
    ['form-data; name="first"; name="second"', "first", undefined],
    ["form-data; name=\"a\"; filename*=UTF-8''b", "a", undefined],
    ['form-data; NAME="a"', "a", undefined],
    ['form-data; name="__proto__"', "__proto__", undefined],
  ])("are named by %s", (disposition, name, fileName) => {
    const [found] = parseMultipart(Buffer.from(`${part(`Content-Disposition: ${disposition}`)}--x--`), type);
    expect(found).toMatchObject({ name, fileName });
  });

  test("may be separated by any boundary of a content type", () => {
    const boundary = "a'()+_,-./:=? b";
    const body = `${named("a")}--x--`.replaceAll("--x", `--${boundary}`);
    expect(parse(body, `multipart/form-data; boundary="${boundary}"`)).toEqual([["a", "a"]]);
  });
});

describe("a malformed body", () => {
  test.each([
    ["nothing", ""],
    ["no boundary", "zzzz"],
    ["no end", named("a")],
    ["a part without an end", `${named("a")}--x\r\nContent-Disposition: form-data; name="b"\r\n\r\nb`],
    ["an end with more on its line", `${named("a")}--x--y`],
    ["line feeds alone", `${named("a")}--x--`.replaceAll("\r\n", "\n")],
  ])("with %s is refused", (_, body) => {
    expect(problemOf(body)).toBe("the body does not end with its boundary");
  });

  test.each([
    ["no headers", "--x\r\n\r\na\r\n--x--", "a part has no name"],
    ["no content disposition", `${part("X: y")}--x--`, "a part has no name"],
    ["no name", `${part("Content-Disposition: form-data")}--x--`, "a part has no name"],
    ["a name that is not closed", `${part('Content-Disposition: form-data; name="a')}--x--`, "a part has no name"],
    [
      "headers without an end",
      "--x\r\nContent-Disposition: form-data\r\n--x--",
      "a part has no empty line after its headers",
    ],
    ["long headers", `${part(`X: ${"y".repeat(17_000)}`)}--x--`, "a part's headers have at most 16384 bytes"],
    ["a long name", `${named("n".repeat(17_000))}--x--`, "a part's headers have at most 16384 bytes"],
    ["10,001 parts", `${named("a").repeat(10_001)}--x--`, "a form has at most 10000 fields"],
  ])("with %s is refused", (_, body, problem) => {
    expect(problemOf(body)).toBe(problem);
  });

  test.each([
    "multipart/form-data",
    'multipart/form-data; boundary=""',
    `multipart/form-data; boundary="${"x".repeat(71)}"`,
    `multipart/form-data; boundary=${"x".repeat(71)}`,
  ])("of the type %s is refused", (contentType) => {
    expect(problemOf(`${named("a")}--x--`, contentType)).toBe("the content type has no boundary");
  });

  test("is refused soon, also if it is large and made of boundaries, white space or parameters", () => {
    const size = 1_000_000;
    const bodies = [
      named("a", "\r\n--".repeat(size)),
      named("a", "\r\n--x".repeat(size)),
      `--x${" ".repeat(4 * size)}`,
      `${named("a", `\r\n--x${" ".repeat(40)}`.repeat(size / 10))}`,
      part(`Content-Disposition: form-data${'; name="'.repeat(size / 100)}`),
      `${part(`X: ${"; a=b".repeat(3000)}\r\nContent-Disposition: form-data${"; a=b".repeat(200)}`)}`.repeat(5),
    ];
    for (const body of bodies) {
      expect(problemOf(body)).toBeDefined();
    }
  });
});
