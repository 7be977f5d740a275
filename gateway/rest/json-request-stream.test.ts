import { describe, expect, test } from "@jest/globals";
import { jsonValues } from "./json-request-stream.ts";

async function cut(text: string, size = text.length, maxBytes = 1000): Promise<string[]> {
  const bytes = Buffer.from(text);
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += Math.max(size, 1)) yield bytes.subarray(at, at + Math.max(size, 1));
  }
  const values: string[] = [];
  for await (const value of jsonValues(chunks(), maxBytes)) values.push(value);
  return values;
}

describe("a stream of JSON values", () => {
  test.each([
    ["", []],
    ["{}\n{}", ["{}", "{}"]],
    ['{"a":"}\\"{"}{"b":[1,{}]}', ['{"a":"}\\"{"}', '{"b":[1,{}]}']],
    ['"1s"\n"2\\"s"\n', ['"1s"', '"2\\"s"']],
    ["1 -2.5e3\ntrue\nnull", ["1", "-2.5e3", "true", "null"]],
    [' [ "a", {"b":1} ,3, null ] ', ['"a"', '{"b":1}', "3", "null"]],
    ["[1,2]", ["1", "2"]],
    ["[]", []],
  ])("should be split into its values, wherever its chunks end: %j", async (text, values) => {
    for (const size of [1, 2, 3, 1000]) expect(await cut(text, size)).toEqual(values);
  });

  test.each(["}", "*", "{} ]", "[1] 2", "[1,,2]", "[,1]", "1,2", "{},{}"])("should not be %j", async (text) => {
    for (const size of [1, 1000]) {
      await expect(cut(text, size)).rejects.toThrow("the body is not a stream of JSON values");
    }
  });

  test.each(["{", '"a', "[1", "[1,", '{"a":["}]'])("should not end within a message: %j", async (text) => {
    for (const size of [1, 1000]) await expect(cut(text, size)).rejects.toThrow("the body ends within a message");
  });

  test("should be UTF-8", async () => {
    expect(await cut('"é✓😀"', 1)).toEqual(['"é✓😀"']);
    async function* broken() {
      yield Buffer.from([0x22, 0xff, 0x22]);
    }
    await expect(jsonValues(broken(), 10).next()).rejects.toThrow("the body is not valid UTF-8");
  });

  test("should have no value larger than the limit", async () => {
    expect(await cut('{"a":"123"}{"a":"123"}', 4, 12)).toHaveLength(2);
    await expect(cut('{"a":"12345678901234567890"}', 4, 12)).rejects.toThrow("larger than 12 bytes");
    await expect(cut("1".repeat(20), 4, 12)).rejects.toThrow("larger than 12 bytes");
    await expect(cut(" ".repeat(20), 4, 12)).rejects.toThrow("larger than 12 bytes");
  });
});
