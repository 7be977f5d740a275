import { expect, test } from "@jest/globals";
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

test("an error is written with its stack and its cause", () => {
  const { log, lines } = logging();
  log.error({ err: new Error("outer", { cause: new TypeError("inner") }) });
  expect(lines).toMatchObject([
    { err: { type: "Error", message: "outer: inner", stack: expect.stringContaining("inner") } },
  ]);
});
