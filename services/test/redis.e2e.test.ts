import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { OrderService } from "../../gen/docket/order/v1/order_service_pb.js";
import { describeRedis } from "../runtime/cache/testing/describe-redis.ts";
import { startRedis } from "../runtime/cache/testing/redis-servers.ts";
import { until } from "../runtime/testing/until.ts";
import { startProcesses } from "./support/processes.ts";
import { createFolder, type Storage } from "./support/start-docket.ts";

describeRedis("processes that share a Redis", () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let storage: Storage;
  let processes: Awaited<ReturnType<typeof startProcesses>>;
  beforeAll(async () => {
    redis = await startRedis();
    storage = await createFolder();
    processes = await startProcesses({ environment: { ...storage.environment, DOCKET_REDIS_URL: redis.node.url } });
    await redisIs("pass");
  }, 120_000);
  afterAll(async () => {
    await processes[Symbol.asyncDispose]();
    await storage[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });

  const order = () => processes.programs.get("order")?.opsUrl;
  const redisIs = (status: string) =>
    until(async () => {
      const probes = [processes.gateway.opsUrl, order()].map(async (url) => (await fetch(`${url}/probe/redis`)).text());
      return (await Promise.all(probes)).every((text) => text.includes(`"${status}"`));
    });
  const newKey = () =>
    processes.gateway.docket.apiKeys.createApiKey({ apiKey: { displayName: "shared", scopes: ["orders.read"] } });

  /** Calls the gateway, and the process of the order service itself. Returns the codes; 0 is success. */
  const call = async (key: string): Promise<number[]> => {
    const addresses = [processes.gateway.grpcAddress, processes.programs.get("order")?.grpcAddress];
    const codes: number[] = [];
    for (const address of addresses) {
      const { listOrders } = createClient(OrderService, createGrpcTransport({ baseUrl: `http://${address}` }));
      const headers = { authorization: `Bearer ${key}` };
      codes.push(
        await listOrders({}, { headers }).then(
          () => 0,
          (error: unknown) => ConnectError.from(error).code,
        ),
      );
    }
    return codes;
  };
  const revocationTakesMs = async (name: string, key: string): Promise<number> => {
    await processes.gateway.docket.apiKeys.revokeApiKey({ name });
    const revokedAt = performance.now();
    await until(async () => (await call(key)).every((code) => code === Code.Unauthenticated), 10_000);
    return performance.now() - revokedAt;
  };

  test("know a key that another one has looked up", async () => {
    const { key } = await newKey();
    await until(async () => {
      expect(await call(key)).toEqual([0, 0]);
      const metrics = await (await fetch(`${order()}/metrics`)).text();
      return /docket_cache_reads_total\{[^}]*outcome="shared"/.test(metrics);
    });
  });

  test("refuse a revoked key within a second, with Redis, without it and after its return", async () => {
    const keys = [await newKey(), await newKey(), await newKey()] as const;
    for (const { key } of keys) {
      expect(await call(key)).toEqual([0, 0]);
    }
    expect(await revocationTakesMs(keys[0].name, keys[0].key)).toBeLessThan(1_000);

    await redis.node.kill();
    for (let at = 0; at < 20; at += 1) {
      expect(await call(keys[1].key)).toEqual([0, 0]);
    }
    expect(await revocationTakesMs(keys[1].name, keys[1].key)).toBeLessThan(1_000);
    await redisIs("fail");

    await redis.node.start();
    await redisIs("pass");
    expect(await call(keys[1].key)).toEqual([Code.Unauthenticated, Code.Unauthenticated]);
    expect(await call(keys[2].key)).toEqual([0, 0]);
    expect(await revocationTakesMs(keys[2].name, keys[2].key)).toBeLessThan(1_000);
  });
});
