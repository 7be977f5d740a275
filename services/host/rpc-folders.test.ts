import { globSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";

const folders = globSync("services/*/rpc/");

/** `cancel-order.ts` implements `cancelOrder`. */
const methodOf = (file: string) =>
  file.replace(/\.ts$/, "").replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

test.each(folders)("every file in %s implements the RPC of its name", (folder) => {
  const table = readFileSync(`${folder}/../routes.ts`, "utf8");
  const files = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []));
  expect(files.length).toBeGreaterThan(3);
  const strangers = files.filter((file) => {
    const method = methodOf(file);
    const isMounted = table.includes(` } from "./rpc/${file}";`) && table.includes(`    ${method}: ${method}(`);
    return !isMounted;
  });
  expect(strangers).toEqual([]);
});

test("the services with RPCs are found", () => {
  expect(folders.length).toBeGreaterThanOrEqual(5);
});
