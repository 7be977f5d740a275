import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import {
  ConfigError,
  flag,
  integer,
  list,
  milliseconds,
  oneOf,
  port,
  readConfig,
  secret,
  text,
  url,
} from "./config.ts";

const schema = {
  httpPort: port("HTTP_PORT", { fallback: 8080 }),
  databaseUrl: url("DATABASE_URL", ["mysql", "sqlite"]),
  adminKey: secret("ADMIN_KEY", { fallback: undefined }),
  logLevel: oneOf("LOG_LEVEL", ["info", "debug"], { fallback: "info" }),
  drain: milliseconds("DRAIN", { fallback: 15_000 }),
  workers: integer("WORKERS", { fallback: 2, min: 1, max: 64 }),
  cors: list("CORS_ORIGINS", { fallback: [] }),
  reflection: flag("REFLECTION", { fallback: true }),
  region: text("REGION", { fallback: "eu" }),
};

test("unset and empty variables have their fallback, the others their typed value", () => {
  const config = readConfig(
    {
      DATABASE_URL: "mysql://root@db/order",
      HTTP_PORT: "0",
      DRAIN: "2m",
      CORS_ORIGINS: "https://a, https://b,",
      REFLECTION: "false",
      REGION: "",
    },
    schema,
  );
  expect(config).toEqual({
    httpPort: 0,
    databaseUrl: "mysql://root@db/order",
    adminKey: undefined,
    logLevel: "info",
    drain: 120_000,
    workers: 2,
    cors: ["https://a", "https://b"],
    reflection: false,
    region: "eu",
  });
  config.httpPort satisfies number;
  config.adminKey satisfies string | undefined;
  config.logLevel satisfies "info" | "debug";
});

test("every problem is named at once, and no value is repeated", () => {
  const environment = {
    HTTP_PORT: "70000",
    ADMIN_KEY_FILE: "/nowhere/key",
    LOG_LEVEL: "loud-hunter2",
    DRAIN: "soon",
    WORKERS: "1.5",
    REFLECTION: "yes",
  };
  let error: unknown;
  try {
    readConfig(environment, schema);
  } catch (thrown) {
    error = thrown;
  }
  if (!(error instanceof ConfigError)) {
    throw error;
  }
  expect(error.problems).toEqual([
    "HTTP_PORT must be a whole number from 0 to 65535",
    "DATABASE_URL is required (or DATABASE_URL_FILE)",
    "ADMIN_KEY cannot be read from the file that ADMIN_KEY_FILE names",
    "LOG_LEVEL must be one of info, debug",
    "DRAIN must be a time such as 250ms, 30s, 15m, 2h or 7d",
    "WORKERS must be a whole number from 1 to 64",
    "REFLECTION must be true or false",
  ]);
  expect(error.message).not.toContain("hunter2");
});

test("a secret may stand in a file, without its last newline", () => {
  const path = join(mkdtempSync(join(tmpdir(), "docket-config-")), "key");
  writeFileSync(path, "s3cret\n");
  expect(readConfig({ ADMIN_KEY_FILE: path }, { key: secret("ADMIN_KEY") })).toEqual({ key: "s3cret" });
});
