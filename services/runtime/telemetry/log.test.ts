import { readdir } from "node:fs/promises";
import type { AnyDesc, DescField, DescFile } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { expect, test } from "@jest/globals";
import { isPersonal } from "../api/personal-fields.ts";
import { invalidArgument } from "../errors.ts";
import { createLogger } from "./log.ts";

function logging(level = "info") {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  return { log: createLogger({ level, name: "order", destination }), lines };
}

test("a line has its level as a word, its time in UTC and its service", () => {
  const { log, lines } = logging();
  log.info({ order: "01h" }, "placed");
  log.debug("not shown");
  expect(lines).toEqual([
    {
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      name: "order",
      order: "01h",
      msg: "placed",
    },
  ]);
});

test("secrets and personal data are blotted out, at the top and one object down", () => {
  const { log, lines } = logging();
  const secrets = { authorization: "Bearer x", token: "t", email: "a@b.example", "x-api-key": "k", clientSecret: "c" };
  log.info({ ...secrets, header: secrets, sku: "1" });
  const blotted = Object.fromEntries(Object.keys(secrets).map((name) => [name, "[redacted]"]));
  expect(lines).toMatchObject([{ ...blotted, header: blotted, sku: "1" }]);
});

/** The names of all fields that the contract marks as personal, in JSON and in Protobuf. */
async function personalNames(): Promise<ReadonlySet<string>> {
  const gen = new URL("../../../gen/docket/", import.meta.url);
  const paths = (await readdir(gen, { recursive: true })).filter((path) => path.endsWith("_pb.js"));
  const modules = await Promise.all(paths.map((path) => import(new URL(path, gen).href) as Promise<object>));
  const files = modules.flatMap((module) => Object.values(module)).filter((value) => value?.kind === "file");
  const fields = files.flatMap((file: DescFile) => [...nestedTypes(file)]).flatMap(fieldsOf);
  return new Set(fields.filter(isPersonal).flatMap(({ name, localName }) => [name, localName]));
}

function fieldsOf(type: DescFile | AnyDesc): readonly DescField[] {
  return type.kind === "message" ? type.fields : [];
}

test("every field that the contract marks as personal is blotted out, whatever it is in", async () => {
  const names = new Set(await personalNames());
  // That of a log line is an error's; a refund's is only in its request, and requests are not logged.
  names.delete("reason");
  expect(names.size).toBeGreaterThan(12);
  const { log, lines } = logging();
  for (const name of names) {
    log.info({ [name]: "Ada", order: { [name]: ["Ada"] }, err: Object.assign(new Error("failed"), { [name]: "Ada" }) });
    log.child({ [name]: { given: "Ada" } }).warn("said");
  }
  const shown = lines.filter((line) => JSON.stringify(line).includes("Ada"));
  expect(shown.flatMap((line) => Object.keys(line).filter((key) => names.has(key)))).toEqual([]);
  expect(shown).toEqual([]);
});

test("an error is written with its reason and plain properties, and without the graphs that hang on it", () => {
  const { log, lines } = logging();
  const refused = invalidArgument([{ field: "name", description: "is wrong" }]);
  log.error({
    err: Object.assign(refused, { errno: 1213, query: { deep: { er: "x".repeat(10_000) } }, token: "secret" }),
  });
  expect(lines).toMatchObject([
    { err: { type: "ConnectError", code: 3, reason: "INVALID_FIELD", errno: 1213, token: "[redacted]" } },
  ]);
  const { stack, ...rest } = (lines[0]?.["err"] ?? {}) as { stack?: string };
  expect(stack).toContain("name: is wrong");
  expect(JSON.stringify(rest).length).toBeLessThan(400);
});

test("an error is written with its stack and its cause", () => {
  const { log, lines } = logging();
  log.error({ err: new Error("outer", { cause: new TypeError("inner") }) });
  expect(lines).toMatchObject([
    { err: { type: "Error", message: "outer: inner", stack: expect.stringContaining("inner") } },
  ]);
});
