import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import * as v from "valibot";
import { ConfigError } from "./config-error.ts";
import { counts, entries, list, networks } from "./lists.ts";
import { effectiveSettings, readSettings } from "./read-settings.ts";
import { flag, integer, milliseconds, oneOf, port, secret, text, url } from "./scalars.ts";
import { effectiveText, settingsList } from "./show-settings.ts";
import type { Sources } from "./sources.ts";

const description = "What it does.";
const groups = {
  server: v.object({
    httpPort: port("DOCKET_HTTP_PORT", { description, default: 8080 }),
    databaseUrl: url("DOCKET_DATABASE_URL", ["mysql", "sqlite"], { description, otherwise: "in memory" }),
    adminKey: secret("DOCKET_ADMIN_KEY", { description, min: 4, max: 8 }),
    logLevel: oneOf("DOCKET_LOG_LEVEL", ["info", "debug"], { description, default: "info" }),
    reflection: flag("DOCKET_REFLECTION", { description, default: true }),
    region: text("DOCKET_REGION", { description, default: "eu" }),
  }),
  work: v.object({
    drainMs: milliseconds("DOCKET_DRAIN", { description, default: "15s", min: "1s", max: "1h" }),
    pauseMs: milliseconds("DOCKET_PAUSE", { description, default: "0s" }),
    workers: integer("DOCKET_WORKERS", { description, default: 2, min: 1, max: 64, unit: "threads" }),
    cors: list("DOCKET_CORS_ORIGINS", { description, default: [] }),
    proxies: networks("DOCKET_PROXIES", { description, default: [] }),
    limits: counts("DOCKET_LIMITS", { description, default: {} }),
    addresses: entries("DOCKET_ADDRESSES", { description, default: {} }),
  }),
};

const environmentOf = (environment: Record<string, string>): Sources => ({ environment });

const fileOf = (values: Record<string, unknown>, environment: Record<string, string> = {}): Sources => ({
  environment,
  file: { path: "docket.yaml", values },
});

const problemsOf = (sources: Sources): readonly string[] => {
  try {
    readSettings(groups, sources);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems;
    }
    throw error;
  }
};

const secretFile = (content: string): string => {
  const path = join(mkdtempSync(join(tmpdir(), "docket-config-")), "key");
  writeFileSync(path, content);
  return path;
};

describe("values", () => {
  test("are the defaults where variables are unset or empty, and typed otherwise", () => {
    const { server, work } = readSettings(
      groups,
      environmentOf({
        DOCKET_DATABASE_URL: "MySQL://root@db/order",
        DOCKET_HTTP_PORT: " 0 ",
        DOCKET_DRAIN: "2m",
        DOCKET_CORS_ORIGINS: "https://a, https://b,",
        DOCKET_REFLECTION: "false",
        DOCKET_REGION: "",
        DOCKET_LIMITS: "a.B/C=10, a.B/D = 20",
        DOCKET_ADDRESSES: "order=host:1,payment=a=b,order=host:2",
      }),
    );
    expect(server).toEqual({
      httpPort: 0,
      databaseUrl: "MySQL://root@db/order",
      logLevel: "info",
      reflection: false,
      region: "eu",
    });
    expect(work).toMatchObject({ drainMs: 120_000, pauseMs: 0, workers: 2, cors: ["https://a", "https://b"] });
    expect([...work.limits]).toEqual([
      ["a.B/C", 10],
      ["a.B/D", 20],
    ]);
    expect([...work.addresses]).toEqual([
      ["order", "host:1,host:2"],
      ["payment", "a=b"],
    ]);
    server.httpPort satisfies number;
    server.adminKey satisfies string | undefined;
    server.logLevel satisfies "info" | "debug";
  });

  test("of a file have JSON's types or the text of a variable, and the environment takes precedence", () => {
    const { server, work } = readSettings(
      groups,
      fileOf(
        {
          httpPort: 1,
          reflection: false,
          region: "us",
          adminKey: null,
          drain: "20s",
          workers: "3",
          corsOrigins: ["https://a"],
          proxies: ["10.0.0.0/8"],
          limits: { "a.B/C": 10 },
          addresses: { order: "host:1" },
        },
        { DOCKET_REGION: "ap", DOCKET_REFLECTION: "" },
      ),
    );
    expect(server).toMatchObject({ httpPort: 1, reflection: false, region: "ap" });
    expect(server.adminKey).toBeUndefined();
    expect(work).toMatchObject({ drainMs: 20_000, workers: 3, cors: ["https://a"] });
    expect(work.proxies.has("10.1.2.3")).toBe(true);
    expect(work.limits.get("a.B/C")).toBe(10);
    expect(work.addresses.get("order")).toBe("host:1");
  });

  test("of secrets may stand in files of their own, whose paths the environment or the file names", () => {
    const path = secretFile("s3cret\n");
    const fromEnvironment = readSettings(groups, environmentOf({ DOCKET_ADMIN_KEY_FILE: path }));
    const fromFile = readSettings(groups, fileOf({ adminKeyFile: path }));
    const direct = readSettings(groups, fileOf({ adminKeyFile: path }, { DOCKET_ADMIN_KEY: "another" }));
    expect([fromEnvironment, fromFile, direct].map(({ server }) => server.adminKey)).toEqual([
      "s3cret",
      "s3cret",
      "another",
    ]);
  });
});

describe("problems", () => {
  test("are named all at once with what is allowed, and repeat no value", () => {
    const problems = problemsOf(
      environmentOf({
        DOCKET_HTTP_PORT: "70000",
        DOCKET_DATABASE_URL: "postgres://hunter2",
        DOCKET_ADMIN_KEY_FILE: "/nowhere/key",
        DOCKET_LOG_LEVEL: "loud-hunter2",
        DOCKET_REFLECTION: "yes",
        DOCKET_DRAIN: "2h",
        DOCKET_PAUSE: "soon",
        DOCKET_WORKERS: "1.5",
        DOCKET_PROXIES: "10.0.0.0/99",
        DOCKET_LIMITS: "a.B/C",
        DOCKET_ADDRESSES: "=a",
      }),
    );
    expect(problems).toEqual([
      "DOCKET_ADMIN_KEY cannot be read from the file that DOCKET_ADMIN_KEY_FILE names",
      "DOCKET_HTTP_PORT must be a whole number from 0 to 65535",
      "DOCKET_DATABASE_URL must be a URL of the form mysql:… or sqlite:…",
      "DOCKET_LOG_LEVEL must be one of info, debug",
      "DOCKET_REFLECTION must be true or false",
      "DOCKET_DRAIN must be a time from 1s to 1h",
      "DOCKET_PAUSE must be a time such as 250ms, 30s, 15m, 2h or 7d",
      "DOCKET_WORKERS must be a whole number of threads from 1 to 64",
      'DOCKET_PROXIES must be networks such as 10.0.0.0/8 between commas: "10.0.0.0/99" is not a network such as 10.0.0.0/8 or an address',
      "DOCKET_LIMITS must be names with numbers between commas, such as first=10,second=20",
      "DOCKET_ADDRESSES must be names with values between commas, such as first=a,second=b",
    ]);
    expect(new ConfigError(problems).message).not.toContain("hunter2");
  });

  test("of a file name it and the key, unknown keys included", () => {
    const empty = secretFile(" \n");
    expect(
      problemsOf(
        fileOf({
          httpPort: 1.5,
          adminKeyFile: empty,
          region: 5,
          drain: 20,
          reflection: "maybe",
          limits: { a: -1 },
          addresses: { a: "b,c" },
          corsOrigins: [1],
          logLevl: "info",
          regionFile: "x",
        }),
      ),
    ).toEqual([
      "docket.yaml: adminKey is empty in the file that docket.yaml: adminKeyFile names",
      "docket.yaml: httpPort must be a whole number from 0 to 65535",
      "docket.yaml: reflection must be true or false",
      "docket.yaml: region must be text (in quotes, if YAML would read something else)",
      "docket.yaml: drain must be a time such as 250ms, 30s, 15m, 2h or 7d",
      "docket.yaml: corsOrigins must be names between commas",
      "docket.yaml: limits must be names with numbers between commas, such as first=10,second=20",
      "docket.yaml: addresses must be names with values between commas, such as first=a,second=b",
      "docket.yaml: logLevl is not a setting",
      "docket.yaml: regionFile is not a setting",
    ]);
  });

  test("include a path that is none", () => {
    expect(problemsOf(fileOf({ adminKeyFile: 7 }))).toEqual(["docket.yaml: adminKeyFile must be the path of a file"]);
  });

  test.each([
    ["DOCKET_WORKERS", "0"],
    ["DOCKET_WORKERS", "65"],
    ["DOCKET_WORKERS", "1e1"],
    ["DOCKET_HTTP_PORT", "-1"],
    ["DOCKET_HTTP_PORT", "99999999999999999999"],
    ["DOCKET_PAUSE", "99999999999999999999d"],
    ["DOCKET_DRAIN", "999ms"],
    ["DOCKET_ADMIN_KEY", "abc"],
    ["DOCKET_ADMIN_KEY", "abcdefghi"],
  ])("include %s=%s, which is out of bounds", (name, value) => {
    expect(problemsOf(environmentOf({ [name]: value }))).toEqual([expect.stringContaining(`${name} must`)]);
  });
});

describe("what is printed", () => {
  test("of the settings in use names the source of each, and hides secrets", () => {
    const path = secretFile("s3cret");
    const sources = fileOf(
      { databaseUrl: "mysql://root:hunter2@db:3306/shop?password=hunter2", limits: { a: 1 } },
      { DOCKET_ADMIN_KEY_FILE: path, DOCKET_DRAIN: "60s" },
    );
    const lines = effectiveText(effectiveSettings(groups, sources)).split("\n");
    expect(lines.map((line) => line.split(/ {2,}/))).toEqual([
      ["DOCKET_HTTP_PORT", "default", "8080"],
      ["DOCKET_DATABASE_URL", "file", "mysql://db:3306/shop"],
      ["DOCKET_ADMIN_KEY", "environment", "(secret)"],
      ["DOCKET_LOG_LEVEL", "default", "info"],
      ["DOCKET_REFLECTION", "default", "true"],
      ["DOCKET_REGION", "default", "eu"],
      ["DOCKET_DRAIN", "environment", "60s"],
      ["DOCKET_PAUSE", "default", "0s"],
      ["DOCKET_WORKERS", "default", "2"],
      ["DOCKET_CORS_ORIGINS", "default", "none"],
      ["DOCKET_PROXIES", "default", "none"],
      ["DOCKET_LIMITS", "file", "a=1"],
      ["DOCKET_ADDRESSES", "default", "none"],
      [""],
    ]);
  });

  test("of all settings has the names, the description, what is allowed and the default", () => {
    const list = settingsList(groups);
    expect(list).toContain(
      "  DOCKET_DATABASE_URL, or the path of a file in DOCKET_DATABASE_URL_FILE\n    What it does.\n    a URL of the form mysql:… or sqlite:…; default: in memory; in a file: databaseUrl\n",
    );
    expect(list).toContain("a time from 1s to 1h; default: 15s; in a file: drain\n");
  });
});
