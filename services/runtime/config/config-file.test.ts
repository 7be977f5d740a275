import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { readConfigFile } from "./config-file.ts";

const write = async (text: string): Promise<string> => {
  const path = join(await mkdtemp(join(tmpdir(), "docket-config-")), "docket.yaml");
  await writeFile(path, text);
  return path;
};

test.each([
  ["YAML", "httpPort: 8080\ntrustedProxies:\n  - 10.0.0.0/8\n", { httpPort: 8080, trustedProxies: ["10.0.0.0/8"] }],
  ["JSON", '{"httpPort": 8080}', { httpPort: 8080 }],
  ["comments alone", "# nothing yet\n", {}],
])("a file is read as %s", async (_, text, values) => {
  const path = await write(text);
  expect(await readConfigFile(path)).toEqual({ path, values });
});

test.each([
  ["a list", "- 1\n", "must be a map of settings"],
  ["a text", "hello", "must be a map of settings"],
  ["neither YAML nor JSON", "a: [hunter2", "is not YAML or JSON"],
  ["one with a key twice", "httpPort: 1\nhttpPort: hunter2\n", "is not YAML or JSON"],
  ["one with an unknown tag", "adminKey: !secret hunter2\n", "is not YAML or JSON"],
])("%s is refused without repeating it", async (_, text, problem) => {
  const path = await write(text);
  const refused = expect.objectContaining({ problems: [expect.stringContaining(`${path} ${problem}`)] });
  const reading = readConfigFile(path);
  await expect(reading).rejects.toEqual(refused);
  await expect(reading).rejects.not.toThrow("hunter2");
});

test("a missing file, and one that cannot be read, are refused", async () => {
  await expect(readConfigFile("/nowhere/docket.yaml")).rejects.toThrow("/nowhere/docket.yaml does not exist");
  await expect(readConfigFile(tmpdir())).rejects.toThrow("cannot be read");
});
