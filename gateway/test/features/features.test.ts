import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { features } from "./features.ts";

test.each(Object.keys(features))("the feature %s has tests under its name", (name) => {
  const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith(".contract.test.ts"));
  const tests = files.map((file) => readFileSync(`${import.meta.dirname}/${file}`, "utf8")).join("\n");
  expect(tests.includes(`describe(features.${name},`)).toBe(true);
});
