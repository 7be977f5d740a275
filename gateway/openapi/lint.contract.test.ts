import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { testDocument } from "../test/support/test-api.ts";

/** Redocly's linter with every recommended rule as an error, without network access. */
function lint(...documents: string[]): { status: number | null; output: string } {
  const folder = mkdtempSync(join(tmpdir(), "openapi-"));
  try {
    writeFileSync(join(folder, "redocly.yaml"), "extends: [recommended-strict]\ntelemetry: off\n");
    const cli = join(dirname(createRequire(import.meta.url).resolve("@redocly/cli/package.json")), "bin/cli.js");
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [cli, "lint", "--config", join(folder, "redocly.yaml"), ...documents],
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

test("the linter reports nothing on the document of the test API", () => {
  const folder = mkdtempSync(join(tmpdir(), "openapi-"));
  const path = join(folder, "openapi.json");
  writeFileSync(path, JSON.stringify(testDocument()));
  const { status, output } = lint(path);
  rmSync(folder, { recursive: true });
  expect({ status, output }).toMatchObject({ status: 0 });
}, 60_000);

test("the linter reports nothing on any document that the build generates", () => {
  const folder = fileURLToPath(new URL("../../gen/openapi/", import.meta.url));
  const documents = readdirSync(folder).filter((file) => file.endsWith(".json"));
  expect(documents.length).toBeGreaterThan(1);
  const { status, output } = lint(...documents.map((file) => join(folder, file)));
  expect({ status, output }).toMatchObject({ status: 0 });
}, 60_000);
