import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { ProgramError } from "../program-error.ts";
import { readOptionsFile } from "./options-file.ts";

const folder = mkdtempSync(join(tmpdir(), "gateway-options-"));
afterAll(() => rmSync(folder, { recursive: true }));

const read = (text: string, name = "gateway.json") => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return readOptionsFile(path);
};

/** The error message for a file, without its folder. */
const complaint = (text: string, name?: string): string => {
  try {
    read(text, name);
  } catch (error) {
    if (error instanceof ProgramError) return error.message.replaceAll(`${folder}/`, "");
    throw error;
  }
  return "";
};

describe("the configuration file", () => {
  test("should accept the README's example", () => {
    const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
    const blocks = [...readme.matchAll(/```json\n([\s\S]*?)```/g)].map(([, block = ""]) => block);
    expect(blocks).toHaveLength(1);
    expect(read(blocks[0] ?? "")).toEqual(JSON.parse(blocks[0] ?? ""));
  });

  test("should be JSON or YAML, and may be empty", () => {
    expect(read('{"maxBodyBytes": 10, "cors": {"origins": "*"}}')).toEqual({
      maxBodyBytes: 10,
      cors: { origins: "*" },
    });
    const yaml = "# of the shop\nrequestHeaders: [authorization, x-shop-*]\njson:\n  protoNames: true\n";
    expect(read(yaml, "gateway.yaml")).toEqual({
      requestHeaders: ["authorization", "x-shop-*"],
      json: { protoNames: true },
    });
    expect(read("", "gateway.yaml")).toEqual({});
  });

  test("should have all errors reported at once, each with its path", () => {
    const text = JSON.stringify({
      lenient: "yes",
      errorFormat: "xml",
      errorDomain: "",
      maxBodyBytes: -1,
      maxTimeoutMs: 1.5,
      requestHeaders: ["authorization", "x *", 7],
      heartbeatMs: "15s",
      cors: { origins: ["https://shop.example/", "shop.example", "*"], credentials: 1, maxAgeSeconds: -1, header: "x" },
      json: { protonames: true },
      limit: {},
    });
    expect(complaint(text).split("\n")).toEqual([
      "gateway.json:",
      '  lenient: expected true or false, got "yes"',
      '  errorFormat: expected "status" or "aip193" or "problem", got "xml"',
      '  errorDomain: expected a domain such as "shop.example", got ""',
      "  maxBodyBytes: expected a whole number of bytes, 1 or more, got -1",
      "  maxTimeoutMs: expected a whole number of milliseconds, 1 or more, got 1.5",
      '  requestHeaders[1]: expected the name of a header, or the beginning of names and "*", such as "x-shop-*", got "x *"',
      '  requestHeaders[2]: expected the name of a header, or the beginning of names and "*", such as "x-shop-*", got 7',
      '  heartbeatMs: expected a whole number of milliseconds, 1 or more, got "15s"',
      '  cors.origins[0]: "https://shop.example/" is not an origin; use "https://shop.example"',
      '  cors.origins[1]: expected an origin such as "https://shop.example", got "shop.example"',
      '  cors.origins[2]: use "origins": "*" to allow every origin',
      "  cors.credentials: expected true or false, got 1",
      "  cors.maxAgeSeconds: expected a whole number of seconds, 0 or more, got -1",
      "  cors.header: unknown option; known options: origins, credentials, maxAgeSeconds, exposedHeaders",
      "  json.protonames: unknown option; known options: protoNames, emitDefaults, enumNumbers, ignoreUnknownFields",
      expect.stringMatching(/^ {2}limit: unknown option; known options: lenient, errorFormat, /),
    ]);
  });

  test.each([
    ['{"cors": {}}', "cors.origins: is missing"],
    ['{"cors": {"origins": "*", "credentials": true}}', 'cors.credentials: browsers send no credentials to "*"'],
    ['{"cors": []}', "cors: expected an object, got []"],
    ["[]", "the file: expected an object, got []"],
    ['{"lenient": }', "gateway.json: it is not JSON: "],
    ['{"__proto__": 1}', "__proto__: unknown option"],
  ])("should not be %s", (text, message) => {
    expect(complaint(text)).toContain(message);
  });

  test("should not be malformed YAML, or be missing", () => {
    expect(complaint("a: [1", "gateway.yaml")).toContain("gateway.yaml: it is neither JSON nor YAML: ");
    expect(complaint("lenient: true\nlenient: false\n", "gateway.yaml")).toContain("Map keys must be unique");
    expect(() => readOptionsFile("/nowhere.json")).toThrow("/nowhere.json: there is no such file");
  });
});
