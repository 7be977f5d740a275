import { Code, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTelemetry, type Telemetry } from "../../gateway/telemetry/start-telemetry.ts";
import { ApiKeyService } from "../../gen/docket/operations/v1/api_key_service_pb.js";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { startHost } from "../host/host.ts";
import { readConfig } from "../host/reload.ts";
import { mountConfig } from "../host/testing/mounted-config.ts";
import { createGrpcTransport } from "../runtime/grpc/transport.ts";
import { eventually } from "./support/eventually.ts";
import { createFolder } from "./support/start-docket.ts";
import { testEnvironment } from "./support/test-environment.ts";
import { allWires } from "./support/wires.ts";

/** How many versions of the configuration are mounted under traffic. */
const swaps = Number(process.env["DOCKET_TEST_SWAPS"] ?? 60);

const keyOf = (letter: string) => `dk_${letter.repeat(40)}`;

let telemetry: Telemetry;
beforeAll(async () => {
  telemetry = await startTelemetry({ serviceName: "docket", environment: {} });
});
afterAll(() => telemetry.shutdown());

/** Docket with a mounted configuration file, and the admin key in a file. */
async function startReloading(docketYaml: string) {
  const stack = new AsyncDisposableStack();
  const storage = stack.use(await createFolder());
  const mounted = stack.use(await mountConfig({ "docket.yaml": docketYaml, "admin-key": keyOf("a") }));
  const source = {
    environment: {
      ...testEnvironment,
      ...storage.environment,
      DOCKET_LOG_LEVEL: "silent",
      DOCKET_ADMIN_KEY_FILE: mounted.path("admin-key"),
    },
    file: mounted.path("docket.yaml"),
  };
  const start = await readConfig(source);
  const timing = { quietMs: 20, lookMs: 3_600_000 };
  // The telemetry outlives each host.
  const observer = { telemetry: { ...telemetry, shutdown: async () => {} }, configFiles: { source, start, timing } };
  const running = stack.use(await startHost(start.config, observer));
  const metric = async (pattern: RegExp) => {
    const metrics = await (await fetch(`${running.opsUrl}/metrics`)).text();
    return Number(pattern.exec(metrics)?.[1]);
  };
  return {
    running,
    generation: () => metric(/^docket_config_generation(?:\{.*\})? (\d+)$/m),
    invalid: () => metric(/^docket_config_reloads_total\{.*result="invalid".*\} (\d+)$/m),
    /** Mounts a new version. */
    swap: (yaml: string, adminKey = keyOf("a")) => mounted.swap({ "docket.yaml": yaml, "admin-key": adminKey }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test(`of ${swaps} versions mounted under traffic each valid one is applied, no other, and no call is dropped`, async () => {
  const yamlOf = (limit: number) => `rateLimitPerKey: ${limit}\n`;
  await using docket = await startReloading(yamlOf(1_000_000));
  const { httpUrl, grpcAddress } = docket.running;
  const wires = allWires(httpUrl, grpcAddress);
  let calls = 0;
  const failures: unknown[] = [];
  const traffic = new AbortController();
  const load = wires.map(async (wire) => {
    while (!traffic.signal.aborted) {
      const outcome = await wire.call(ApiKeyService.method.listApiKeys, {}, keyOf("a")).catch((error) => ({ error }));
      calls += 1;
      if ("error" in outcome) {
        failures.push(outcome.error);
      }
    }
  });
  const limitInUse = async () => {
    const headers = { authorization: `Bearer ${keyOf("a")}` };
    return Number((await fetch(`${httpUrl}/v1/apiKeys`, { headers })).headers.get("ratelimit-limit"));
  };

  await using _stopped = {
    async [Symbol.asyncDispose]() {
      traffic.abort();
      await Promise.all(load);
      for (const wire of wires) {
        wire[Symbol.dispose]();
      }
    },
  };
  let applied = 1;
  for (let nth = 1; nth <= swaps; nth++) {
    const isInvalid = nth % 10 === 0;
    await docket.swap(isInvalid ? "rateLimitPerTenant: 1\nrateLimitPerKey: many\n" : yamlOf(1_000_000 + nth));
    if (isInvalid) {
      await eventually(docket.invalid, nth / 10);
      expect(await limitInUse()).toBe(1_000_000 + nth - 1);
    } else {
      applied += 1;
      await eventually(limitInUse, 1_000_000 + nth);
    }
    expect(await docket.generation()).toBe(applied);
  }
  traffic.abort();
  await Promise.all(load);
  expect(failures).toEqual([]);
  expect(calls).toBeGreaterThan(swaps);
}, 3_600_000);

test("documents, reflection, origins and the admin key follow the configuration", async () => {
  await using docket = await startReloading("docs: true\n");
  const { httpUrl, grpcAddress, opsUrl } = docket.running;
  await using grpc = createGrpcTransport({ address: grpcAddress });
  const reflected = async () => {
    const requests = async function* () {
      yield { messageRequest: { case: "listServices" as const, value: "*" } };
    };
    return Array.fromAsync(createClient(ServerReflection, grpc.transport).serverReflectionInfo(requests())).then(
      () => "served",
      ({ code }) => code,
    );
  };
  const statusWith = async (key: string) =>
    (await fetch(`${httpUrl}/v1/orders`, { headers: { authorization: `Bearer ${key}` } })).status;
  const originsOf = async () =>
    (await fetch(`${httpUrl}/v1/orders`, { headers: { origin: "https://elsewhere.example" } })).headers.get(
      "access-control-allow-origin",
    );
  expect((await fetch(`${httpUrl}/docs`)).status).toBe(200);
  expect(await reflected()).toBe("served");
  expect(await originsOf()).not.toBeNull();
  expect(await statusWith(keyOf("a"))).toBe(200);

  await docket.swap("docs: false\nreflection: false\ncorsOrigins: https://shop.example\n", keyOf("b"));
  await eventually(docket.generation, 2);
  await eventually(async () => (await fetch(`${httpUrl}/docs`)).status, 404);
  expect(await reflected()).toBe(Code.Unimplemented);
  expect(await originsOf()).toBeNull();
  await eventually(() => statusWith(keyOf("b")), 200);
  await eventually(() => statusWith(keyOf("a")), 401);

  await docket.swap("docs: false\ndrainWindow: 1s\n", keyOf("b"));
  await eventually(docket.generation, 3);
  const probe = async () => {
    const response = await fetch(`${opsUrl}/probe/config`);
    const { checks } = (await response.json()) as { checks: { config: { status: string; error?: string } } };
    return `${response.status} ${checks.config.status} ${checks.config.error}`;
  };
  await eventually(probe, "200 warn needs a restart: DOCKET_DRAIN_WINDOW");
  await docket.swap("docs: maybe\n", keyOf("b"));
  await eventually(async () => (await probe()).slice(0, 9), "422 fail ");
});
