import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ApiKeyService } from "../../gen/docket/operations/v1/api_key_service_pb.js";
import { describeRedis } from "../runtime/cache/testing/describe-redis.ts";
import { startRedis } from "../runtime/cache/testing/redis-servers.ts";
import { until } from "../runtime/testing/until.ts";
import { startDocket, type TestDocket } from "./support/start-docket.ts";
import { allWires, type Wire } from "./support/wires.ts";

type RedisServer = Awaited<ReturnType<typeof startRedis>>;

/** Describes a suite once for counts in memory and once for counts in Redis, where it is installed. */
function describeEachCount(name: string, suite: (start: () => Promise<RedisServer | undefined>) => void): void {
  describe(`${name}, counted in memory`, () => suite(async () => undefined));
  describeRedis(`${name}, counted in Redis`, () => suite(startRedis));
}

const listApiKeys = ApiKeyService.method.listApiKeys;
const path = `/${ApiKeyService.typeName}/${listApiKeys.name}`;

/** Starts a Docket that counts in Redis, or for itself if there is none. */
async function startCounting(environment: Record<string, string>, redis: RedisServer | undefined): Promise<TestDocket> {
  const docket = await startDocket({ ...environment, ...(redis && { DOCKET_REDIS_URL: redis.node.url }) });
  const isUsed = async () => (await (await fetch(`${docket.running.opsUrl}/probe/redis`)).text()).includes('"pass"');
  await until(async () => redis === undefined || isUsed());
  return docket;
}

describeEachCount("limits of requests", (start) => {
  let redis: RedisServer | undefined;
  let docket: TestDocket;
  let wires: Wire[];
  beforeAll(async () => {
    redis = await start();
    docket = await startCounting({ DOCKET_RATE_LIMIT_PER_METHOD: `${path.slice(1)}=2` }, redis);
    wires = allWires(docket.running.httpUrl, docket.running.grpcAddress);
  });
  afterAll(async () => {
    for (const wire of wires) wire[Symbol.dispose]();
    await docket[Symbol.asyncDispose]();
    await redis?.[Symbol.asyncDispose]();
  });

  test.each([0, 1, 2, 3])("are the same on every wire: %d", async (at) => {
    const wire = wires[at];
    const { key } = await docket.tenant(`limited-${at}`);
    const list = () => wire?.call(listApiKeys, {}, key);
    expect(await list()).toHaveProperty("ok");
    expect(await list()).toHaveProperty("ok");
    const { error } = (await list()) as { error: Record<string, unknown> };
    expect(error).toMatchObject({
      code: 8,
      details: [
        { reason: "RATE_LIMITED" },
        { violations: [{ subject: `requests of this key to ${path.slice(1)}` }] },
        { retryDelay: expect.stringMatching(/s$/) },
      ],
    });
  });

  test("are reported to REST clients in headers", async () => {
    const { key } = await docket.tenant("headers");
    const list = () => fetch(`${docket.running.httpUrl}/v1/apiKeys`, { headers: { authorization: `Bearer ${key}` } });
    const first = await list();
    expect(Object.fromEntries(first.headers)).toMatchObject({ "ratelimit-limit": "2", "ratelimit-remaining": "1" });
    await list();
    const refused = await list();
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(refused.headers.get("ratelimit-remaining")).toBe("0");
    const counts = (await redis?.node.cli("keys", "docket:limit:method:*ListApiKeys headers *")) ?? "\n";
    expect(counts.split("\n")).toHaveLength(2);
  });
});

describeEachCount("wrong credentials", (start) => {
  let redis: RedisServer | undefined;
  let docket: TestDocket;
  beforeAll(async () => {
    redis = await start();
    docket = await startCounting({ DOCKET_FAILED_AUTH_LIMIT: "2", DOCKET_TRUSTED_PROXIES: "127.0.0.1" }, redis);
  });
  afterAll(async () => {
    await docket[Symbol.asyncDispose]();
    await redis?.[Symbol.asyncDispose]();
  });

  const headersOf = (address: string) => ({ authorization: "Bearer wrong", "x-forwarded-for": `1.1.1.1, ${address}` });
  const post = async (address: string, type: string, body: string | Buffer) => {
    const headers = { ...headersOf(address), "content-type": type };
    return fetch(docket.running.httpUrl + path, { method: "POST", headers, body });
  };
  /** Each way of calling, and what it has for UNAUTHENTICATED and RESOURCE_EXHAUSTED. */
  const ways: [string, (address: string) => Promise<unknown>, unknown, unknown][] = [
    [
      "REST",
      async (address) => (await fetch(`${docket.running.httpUrl}/v1/apiKeys`, { headers: headersOf(address) })).status,
      401,
      429,
    ],
    ["Connect", async (address) => (await post(address, "application/json", "{}")).status, 401, 429],
    [
      "gRPC-Web",
      async (address) =>
        /grpc-status: (\d+)/.exec(
          await (await post(address, "application/grpc-web+proto", Buffer.alloc(5))).text(),
        )?.[1],
      "16",
      "8",
    ],
    [
      "gRPC",
      (address) =>
        new Promise((resolve) => {
          const client = new Client(docket.running.grpcAddress, credentials.createInsecure());
          const metadata = new Metadata();
          for (const [name, value] of Object.entries(headersOf(address))) metadata.set(name, value);
          const asIs = (bytes: Buffer) => bytes;
          client.makeUnaryRequest(path, asIs, asIs, Buffer.alloc(0), metadata, (error: ServiceError | null) => {
            client.close();
            resolve(error?.code);
          });
        }),
      16,
      8,
    ],
  ];

  test.each(ways)("are counted by the address that a trusted proxy names: %s", async (name, call, wrong, refused) => {
    const host = ways.findIndex(([each]) => each === name) + 1;
    const [first, second] = [`203.0.113.${host}`, `198.51.100.${host}`];
    expect([await call(first), await call(first), await call(first)]).toEqual([wrong, wrong, refused]);
    expect(await call(second)).toBe(wrong);
  });
});
