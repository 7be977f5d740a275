import { PassThrough } from "node:stream";
import { expect, test } from "@jest/globals";
import { createProgram } from "./program.ts";

test("an export to a file that cannot be written fails with the system's message", async () => {
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  const program = createProgram({ ...streams, signal: new AbortController().signal });
  const exporting = program.parseAsync(["node", "docket", "export", "/nope/orders.csv", "--url", "http://127.0.0.1:1"]);
  await expect(exporting).rejects.toThrow(/ENOENT.*\/nope\/orders.csv/);
});
