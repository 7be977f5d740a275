import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "@jest/globals";
import { createHttpHandler } from "../../http-handler.ts";
import { type GrpcUpstream, startGrpcUpstream } from "../../test/support/grpc-upstream.ts";
import { rawRequest } from "../../test/support/raw-request.ts";
import { startProgram, testDescriptorSet, until } from "../../test/support/start-program.ts";
import { startTcpProxy } from "../../test/support/tcp-proxy.ts";
import { echoMethods, libraryMethods, testService, testSpec } from "../../test/support/test-api.ts";
import { parseTargets } from "./addresses.ts";
import { openPool, type Pool, type PoolOptions } from "./pool.ts";
import { forwardTo } from "./upstream.ts";

const specs = [testSpec("Library", libraryMethods()), testSpec("Echo", echoMethods())];

const statusesOf = (url: string, count: number): Promise<number[]> =>
  Promise.all(Array.from({ length: count }, async () => (await rawRequest(url, "/v1/books/b")).status));

/** The gateway over a pool that is not created from a command line. */
async function servePool(targets: string, options: Partial<PoolOptions>) {
  const pool = openPool(parseTargets(targets), {
    healthCheck: true,
    ...options,
  });
  const server = createServer(createHttpHandler({ specs: [forwardTo(pool, testService("Library"))] }));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    pool,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
      pool[Symbol.dispose]();
    },
  };
}

const isReady = (pool: Pool, count: number): boolean =>
  pool.states().filter(({ state }) => state === "ready").length === count;

/** Servers on 127.0.0.1, 127.0.0.2, … with the same port, like the addresses of a DNS name. */
async function startAtOnePort(count: number): Promise<GrpcUpstream[]> {
  const first = await startGrpcUpstream(specs);
  const port = Number(first.address.split(":")[1]);
  const others = Array.from({ length: count - 1 }, (_, index) =>
    startGrpcUpstream(specs, { host: `127.0.0.${index + 2}`, port }),
  );
  return [first, ...(await Promise.all(others))];
}

describe("connections to the upstream", () => {
  test("should be two to each address, for unary calls and for all others, whatever the number of concurrent requests", async () => {
    await using upstream = await startGrpcUpstream(specs);
    await using first = await startTcpProxy(upstream.address);
    await using second = await startTcpProxy(upstream.address);
    const flags = ["--descriptor-set", testDescriptorSet, "--upstream", `${first.address},${second.address}`];
    await using program = await startProgram(flags);
    expect(new Set(await statusesOf(program.url, 200))).toEqual(new Set([200]));
    program.reload();
    expect(new Set(await statusesOf(program.url, 200))).toEqual(new Set([200]));
    expect([first.connections(), second.connections()]).toEqual([2, 2]);
  });

  test("should distribute the calls evenly over the addresses of a name", async () => {
    const upstreams = await startAtOnePort(3);
    const port = upstreams[0]?.address.split(":")[1];
    const resolve = async () => ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
    {
      await using gateway = await servePool(`dns:///orders.internal:${port}`, { resolve });
      await until(() => isReady(gateway.pool, 3));
      await statusesOf(gateway.url, 30);
    }
    expect(upstreams.map((upstream) => upstream.calls())).toEqual([10, 10, 10]);
    for (const upstream of upstreams) await upstream[Symbol.asyncDispose]();
  });

  test("should connect to added addresses of a name and disconnect from removed ones", async () => {
    const upstreams = await startAtOnePort(2);
    const port = upstreams[0]?.address.split(":")[1];
    let addresses: string[] | undefined;
    const resolve = async () => {
      if (addresses === undefined) throw new Error("ENOTFOUND");
      return addresses;
    };
    {
      const troubles: string[] = [];
      const onFailure = (reason: string): void => void troubles.push(reason);
      await using gateway = await servePool(`orders.internal:${port}`, { resolve, resolveEveryMs: 20, onFailure });
      expect(await statusesOf(gateway.url, 1)).toEqual([503]);
      expect(gateway.pool.states()).toEqual([{ address: `orders.internal:${port}`, state: "unreachable" }]);
      expect(troubles[0]).toBe("ENOTFOUND");
      addresses = ["127.0.0.1"];
      await until(() => isReady(gateway.pool, 1));
      addresses = ["127.0.0.2"];
      await until(() => gateway.pool.states()[0]?.address === `127.0.0.2:${port}` && isReady(gateway.pool, 1));
      const before = upstreams[0]?.calls();
      expect(await statusesOf(gateway.url, 4)).toEqual([200, 200, 200, 200]);
      expect(upstreams.map((upstream) => upstream.calls())).toEqual([before, 4]);
      addresses = undefined;
      expect(await statusesOf(gateway.url, 4)).toEqual([200, 200, 200, 200]);
    }
    for (const upstream of upstreams) await upstream[Symbol.asyncDispose]();
  });

  test("should skip unreachable addresses", async () => {
    await using upstream = await startGrpcUpstream(specs);
    await using gateway = await servePool(`127.0.0.1:1,${upstream.address}`, {});
    await until(() => isReady(gateway.pool, 1));
    expect(await statusesOf(gateway.url, 6)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(gateway.pool.states().map(({ address }) => address)).toEqual(["127.0.0.1:1", upstream.address]);
  });

  test("should be reopened after the upstream was down, with 503 in the meantime", async () => {
    let upstream = await startGrpcUpstream(specs);
    const port = Number(upstream.address.split(":")[1]);
    await using gateway = await servePool(upstream.address, {});
    expect(await statusesOf(gateway.url, 3)).toEqual([200, 200, 200]);
    const hanging = rawRequest(gateway.url, "/v1/books:watch?count=4&pause_ms=100");
    await until(() => upstream.calls() === 4);
    await upstream[Symbol.asyncDispose]();
    expect((await hanging).body.toString()).toContain('"code":14,"message":"the upstream cannot be reached"');
    const answer = await rawRequest(gateway.url, "/v1/books/b");
    expect([answer.status, answer.body.toString()]).toEqual([503, expect.stringContaining("UPSTREAM_UNAVAILABLE")]);
    upstream = await startGrpcUpstream(specs, { port });
    await until(async () => (await statusesOf(gateway.url, 1))[0] === 200);
    expect(await statusesOf(gateway.url, 3)).toEqual([200, 200, 200]);
    await upstream[Symbol.asyncDispose]();
  });

  test("should recover from a dropped connection", async () => {
    await using upstream = await startGrpcUpstream(specs);
    await using proxy = await startTcpProxy(upstream.address);
    await using gateway = await servePool(proxy.address, {});
    expect(await statusesOf(gateway.url, 2)).toEqual([200, 200]);
    proxy.cut();
    await until(async () => (await statusesOf(gateway.url, 1))[0] === 200);
    expect([3, 4]).toContain(proxy.connections());
  });
});
