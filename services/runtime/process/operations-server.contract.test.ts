import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { startTelemetry, type Telemetry } from "../../../gateway/telemetry/start-telemetry.ts";
import { createLogger } from "../telemetry/log.ts";
import { createRpcMetrics } from "../telemetry/rpc-metrics.ts";
import { until } from "../testing/until.ts";
import { systemClock } from "../values/clock.ts";
import { createCheckRunner } from "./check-runner.ts";
import type { CheckResult, Checks } from "./checks.ts";
import { createLifecycle } from "./lifecycle.ts";
import { openOperations } from "./operations-server.ts";

let telemetry: Telemetry;
beforeAll(async () => {
  telemetry = await startTelemetry({ serviceName: "test", environment: {} });
  createRpcMetrics().begin("grpc", "a.B/C")(undefined);
});
afterAll(() => telemetry.shutdown());

let open = new AsyncDisposableStack();
afterEach(async () => {
  await open.disposeAsync();
  open = new AsyncDisposableStack();
});

async function serving(checks: Checks) {
  const lifecycle = createLifecycle({ log: createLogger({ level: "silent", name: "test" }), clock: systemClock });
  const runner = createCheckRunner(checks);
  const server = await openOperations({
    host: "127.0.0.1",
    port: 0,
    lifecycle,
    checks: runner,
    metrics: telemetry.metrics,
    clock: systemClock,
    limits: { lingerMs: 200, lingerBytes: 1000 },
  });
  const { port } = server;
  open.use(runner);
  open.use(server);
  const get = async (path: string, method = "GET") => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    const text = await response.text();
    const isJson = response.headers.get("content-type") === "application/json" && text !== "";
    return { status: response.status, body: isJson ? (JSON.parse(text) as unknown) : text, headers: response.headers };
  };
  return { lifecycle, runner, get, port };
}

const body = (status: string, checks: Record<string, unknown>) => ({
  status,
  checks,
  timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
});
const elapsed = expect.any(Number);

test("a process is live from its start to its end, and ready in between", async () => {
  const { lifecycle, get } = await serving({});
  expect(await get("/live")).toMatchObject({ status: 200, body: { status: "ok" } });
  expect(await get("/ready")).toMatchObject({
    status: 503,
    body: body("error", { lifecycle: { status: "fail", elapsed_ms: 0, error: "starting" } }),
  });
  lifecycle.ready();
  expect(await get("/ready")).toMatchObject({
    status: 200,
    body: body("ok", { lifecycle: { status: "pass", elapsed_ms: 0 } }),
  });
  let release = () => {};
  const slow = new Promise<void>((resolve) => {
    release = resolve;
  });
  lifecycle.onDrain("close", "slow", () => slow);
  const stopped = lifecycle.shutdown("test");
  expect(await get("/ready")).toMatchObject({
    status: 503,
    body: { checks: { lifecycle: { status: "fail", error: "draining" } } },
  });
  expect((await get("/live")).status).toBe(200);
  release();
  await stopped;
  expect((await get("/live")).status).toBe(503);
});

test("a critical check decides readiness, a degraded one only warns, each has its probe", async () => {
  let failure: string | undefined = "no connection";
  const { lifecycle, runner, get } = await serving({
    database: {
      intervalMs: 10,
      async run() {
        if (failure !== undefined) {
          throw new Error(failure);
        }
      },
    },
    "outbox-lag": { policy: "degraded", intervalMs: 10, run: async () => ({ status: "fail", error: "300 s behind" }) },
    cache: { intervalMs: 10, run: async () => ({ status: "warn", error: "cold" }) },
  });
  lifecycle.ready();
  expect(await get("/probe/database")).toMatchObject({
    status: 422,
    body: body("error", { database: { status: "fail", elapsed_ms: 0, error: "not checked yet" } }),
  });
  runner.start();
  await until(async () => (await get("/ready")).status === 503 && runner.states().get("database")?.error === failure);
  failure = undefined;
  await until(async () => (await get("/ready")).status === 200);
  expect(await get("/ready")).toMatchObject({
    body: body("warn", {
      database: { status: "pass", elapsed_ms: elapsed },
      "outbox-lag": { status: "fail", elapsed_ms: elapsed, error: "300 s behind" },
      cache: { status: "warn", elapsed_ms: elapsed, error: "cold" },
      lifecycle: { status: "pass", elapsed_ms: 0 },
    }),
  });
  expect(await get("/probe/database")).toMatchObject({ status: 200, body: { status: "ok" } });
  expect(await get("/probe/cache")).toMatchObject({ status: 200, body: { status: "warn" } });
  expect(await get("/probe/outbox-lag")).toMatchObject({ status: 422, body: { status: "warn" } });
  expect(await get("/probe/nothing")).toMatchObject({ status: 404 });
});

test("a probe without the name of a service shows the checks of all services, and fails with any of them", async () => {
  let lag: CheckResult = { status: "pass" };
  const { runner, get } = await serving({
    "order-outbox-lag": { intervalMs: 10, run: async () => lag },
    "payment-outbox-lag": { intervalMs: 10, run: async () => ({ status: "warn", error: "late" }) },
    "order-database": { intervalMs: 10, run: async () => ({ status: "pass" }) },
  });
  runner.start();
  await until(async () => (await get("/probe/database")).status === 200);
  await until(() => runner.states().get("payment-outbox-lag")?.status === "warn");
  const checks = {
    "order-outbox-lag": { status: "pass", elapsed_ms: elapsed },
    "payment-outbox-lag": { status: "warn", elapsed_ms: elapsed, error: "late" },
  };
  expect(await get("/probe/outbox-lag")).toMatchObject({ status: 200, body: body("warn", checks) });
  lag = { status: "fail", error: "stuck" };
  await until(async () => (await get("/probe/outbox-lag")).status === 422);
  expect((await get("/probe/order-database")).status).toBe(200);
  expect(await get("/probe/lag")).toMatchObject({ status: 404, body: body("error", {}) });
});

test("a check that hangs counts as failed, is aborted, and delays no probe", async () => {
  let aborted = false;
  const { runner, get } = await serving({
    redis: {
      timeoutMs: 30,
      intervalMs: 10,
      run: (signal) =>
        new Promise<never>(() => {
          signal.addEventListener("abort", () => {
            aborted = true;
          });
        }),
    },
  });
  runner.start();
  await until(() => runner.states().get("redis")?.error === "no response within 30 ms");
  expect(aborted).toBe(true);
  expect((await get("/probe/redis")).status).toBe(422);
});

test("metrics are Prometheus text; other paths and methods are refused", async () => {
  const { get } = await serving({});
  const metrics = await get("/metrics");
  expect(metrics.status).toBe(200);
  expect(metrics.headers.get("content-type")).toContain("text/plain");
  expect(metrics.body).toContain("# TYPE rpc_server_call_duration_seconds histogram");
  expect((await get("/metrics", "POST")).status).toBe(405);
  expect((await get("/ready", "DELETE")).headers.get("allow")).toBe("GET, HEAD");
  expect((await get("/live", "HEAD")).body).toBe("");
  expect((await get("/other")).status).toBe(404);
});

test("a refused client that goes on sending is closed", async () => {
  const { port } = await serving({});
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let said = "";
  socket.on("error", () => {}).on("data", (chunk: Buffer) => (said += chunk.toString("latin1")));
  socket.write("POST /live HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
  const timer = setInterval(() => socket.writable && socket.write("x"), 20);
  await new Promise((resolve) => socket.once("close", resolve));
  clearInterval(timer);
  expect(said).toMatch(/^HTTP\/1.1 405 .*\r\nConnection: close\r\n/s);
});
