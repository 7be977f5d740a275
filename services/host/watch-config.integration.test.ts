import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTelemetry, type Telemetry } from "../../gateway/telemetry/start-telemetry.ts";
import { createLogger } from "../runtime/telemetry/log.ts";
import { until } from "../runtime/testing/until.ts";
import type { HostConfig } from "./config.ts";
import { readConfig } from "./reload.ts";
import { mountConfig } from "./testing/mounted-config.ts";
import { watchConfig } from "./watch-config.ts";

let telemetry: Telemetry;
beforeAll(async () => {
  telemetry = await startTelemetry({ serviceName: "test", environment: {} });
});
afterAll(() => telemetry.shutdown());

const { signal } = new AbortController();
const secret = (letter: string) => letter.repeat(32);

/** Follows a mounted `docket.yaml`, and other files. */
async function watching(files: Record<string, string>, environment: Record<string, string> = {}) {
  const stack = new AsyncDisposableStack();
  const mounted = stack.use(await mountConfig(files));
  const inMount = Object.entries(environment).map(([name, file]) => [name, mounted.path(file)]);
  const source = { environment: Object.fromEntries(inMount), file: mounted.path("docket.yaml") };
  const lines: { msg: string; settings?: string[]; problems?: string[] }[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const log = createLogger({ level: "info", name: "test", destination });
  const start = await readConfig(source);
  const timing = { quietMs: 20, lookMs: 3_600_000 };
  const watched = stack.use(watchConfig({ config: start.config, files: { source, start, timing }, log }));
  const changes: HostConfig[] = [];
  watched.live.onChange((config) => changes.push(config));
  const metric = async (line: string) => (await telemetry.metrics.read()).includes(`\n${line}\n`);
  return { mounted, watched, lines, changes, metric, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("a new version is validated and swapped as a whole", async () => {
  await using it = await watching({ "docket.yaml": "logLevel: info\nrateLimitPerKey: 10\nproviderTimeout: 5s\n" });
  await it.mounted.swap({ "docket.yaml": "logLevel: debug\nrateLimitPerKey: 20\nproviderTimeout: 6s\n" });
  await until(() => it.changes.length > 0);
  expect(it.changes).toHaveLength(1);
  expect(it.watched.live.current).toMatchObject({
    logLevel: "debug",
    keyRateLimit: 20,
    payment: { providerTimeoutMs: 6_000, pollMs: 500 },
  });
  expect(await it.metric("docket_config_generation 2")).toBe(true);
  expect(it.lines.find(({ msg }) => msg === "the configuration was reloaded")?.settings).toEqual([
    "DOCKET_LOG_LEVEL",
    "DOCKET_RATE_LIMIT_PER_KEY",
    "DOCKET_PROVIDER_TIMEOUT",
  ]);
});

test("an invalid version changes nothing, is shown until it is repaired, and hides no secret's value", async () => {
  await using it = await watching({ "docket.yaml": "logLevel: info\n" });
  await it.mounted.swap({ "docket.yaml": `logLevel: debug\nrateLimitPerKey: many\nadminKey: ${"short-secret"}\n` });
  await until(async () => (await it.watched.check.run(signal))?.status === "fail");
  const { error } = (await it.watched.check.run(signal)) ?? {};
  expect(error).toContain("rateLimitPerKey must be a whole number");
  expect(error).toContain("adminKey must have 32 to 512 characters");
  expect(error).not.toContain("short-secret");
  expect(it.changes).toEqual([]);
  expect(it.watched.live.current.logLevel).toBe("info");
  expect(await it.metric("docket_config_generation 1")).toBe(true);
  expect(await it.metric('docket_config_reloads_total{result="invalid"} 1')).toBe(true);
  expect(it.lines.some(({ msg }) => msg.includes("cannot be used"))).toBe(true);

  await it.mounted.swap({ "docket.yaml": "logLevel: warn\n" });
  await until(() => it.changes.length === 1);
  expect(it.watched.live.current.logLevel).toBe("warn");
  expect(await it.watched.check.run(signal)).toEqual({ status: "pass" });
});

test("a static setting keeps its value and is reported, while live ones of the same file are applied", async () => {
  await using it = await watching({ "docket.yaml": "httpPort: 8080\nlogLevel: info\n" });
  await it.mounted.swap({ "docket.yaml": "httpPort: 9999\nlogLevel: debug\n" });
  await until(() => it.changes.length === 1);
  expect(it.watched.live.current).toMatchObject({ httpPort: 8080, logLevel: "debug" });
  expect(await it.watched.check.run(signal)).toEqual({ status: "warn", error: "needs a restart: DOCKET_HTTP_PORT" });
  await it.mounted.swap({ "docket.yaml": "httpPort: 8080\nlogLevel: debug\n" });
  await until(async () => (await it.watched.check.run(signal))?.status === "pass");
  expect(it.changes).toHaveLength(1);
});

test("secrets of mounted files are read again, whether a variable or the file names them", async () => {
  const yaml = (letter: string) => `serviceSecretFile: ${letter}\n`;
  await using it = await watching(
    { "docket.yaml": "logLevel: info\n", "admin-key": secret("a") },
    { DOCKET_ADMIN_KEY_FILE: "admin-key" },
  );
  await it.mounted.swap({ "docket.yaml": "logLevel: info\n", "admin-key": secret("b") });
  await until(() => it.changes.length === 1);
  expect(it.watched.live.current.adminKey).toBe(secret("b"));

  // A file that the configuration did not name before.
  await using secrets = await mountConfig({ service: secret("c") });
  await it.mounted.swap({ "docket.yaml": yaml(secrets.path("service")), "admin-key": secret("b") });
  await until(() => it.changes.length === 2);
  await secrets.swap({ service: secret("d") });
  await until(() => it.changes.length === 3);
  expect(it.watched.live.current).toMatchObject({ adminKey: secret("b"), serviceSecret: secret("d") });
  expect(JSON.stringify(it.lines)).not.toMatch(/aaaa|bbbb|cccc|dddd/);
});

test("of the database's URL, the credentials are live and the server is not", async () => {
  await using it = await watching({ "docket.yaml": "databaseUrl: mysql://u:one@db/shop\n" });
  await it.mounted.swap({ "docket.yaml": "databaseUrl: mysql://u:two@db/shop\n" });
  await until(() => it.changes.length === 1);
  expect(it.watched.live.current.databaseUrl).toBe("mysql://u:two@db/shop");
  await it.mounted.swap({ "docket.yaml": "databaseUrl: mysql://u:three@elsewhere/shop\n" });
  await until(async () => (await it.watched.check.run(signal))?.status === "warn");
  expect(it.watched.live.current.databaseUrl).toBe("mysql://u:two@db/shop");
});

test("a version that was mounted while the process started is applied", async () => {
  await using mounted = await mountConfig({ "docket.yaml": "logLevel: info\n" });
  const source = { environment: {}, file: mounted.path("docket.yaml") };
  const start = await readConfig(source);
  await mounted.swap({ "docket.yaml": "logLevel: debug\n" });
  const log = createLogger({ level: "silent", name: "test" });
  await using watched = watchConfig({
    config: start.config,
    files: { source, start },
    log,
  });
  await until(() => watched.live.current.logLevel === "debug");
});
