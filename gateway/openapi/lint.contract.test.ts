import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { testRegistry, testService } from "../testing/test-api.ts";
import { createDocumentBuilder } from "./document.ts";
import { parseOptions } from "./options.ts";

/** Redocly's linter with its strictest rules for the structure of a document; it asks nobody on the network. */
function lint(document: string): { status: number | null; output: string } {
  const folder = mkdtempSync(join(tmpdir(), "openapi-"));
  try {
    writeFileSync(join(folder, "redocly.yaml"), "extends: [spec]\ntelemetry: off\n");
    const cli = join(dirname(createRequire(import.meta.url).resolve("@redocly/cli/package.json")), "bin/cli.js");
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [cli, "lint", "--config", join(folder, "redocly.yaml"), document],
      {
        encoding: "utf8",
        env: { HOME: folder, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true", CI: "true" },
      },
    );
    return { status, output: stdout + stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("the linter finds no error in the document of the test API", () => {
  const folder = mkdtempSync(join(tmpdir(), "openapi-"));
  const path = join(folder, "openapi.json");
  const options = parseOptions("title=Books,version=1,license=Apache-2.0");
  const services = [testService("Library")];
  writeFileSync(path, JSON.stringify(createDocumentBuilder(testRegistry, options).build(services)));
  const { status, output } = lint(path);
  rmSync(folder, { recursive: true });
  expect({ status, output }).toMatchObject({ status: 0 });
}, 60_000);

test("the linter finds no error in the document that the build generates", () => {
  const path = fileURLToPath(new URL("../../gen/openapi/openapi.json", import.meta.url));
  const { status, output } = lint(path);
  expect({ status, output }).toMatchObject({ status: 0 });
}, 60_000);
