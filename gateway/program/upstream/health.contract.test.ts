import type { Server } from "@grpc/grpc-js";
import { describe, expect, test } from "@jest/globals";
import { HealthImplementation, service as healthService } from "grpc-health-check";
import { type GrpcUpstreamOptions, startGrpcUpstream } from "../../test/support/grpc-upstream.ts";
import { until } from "../../test/support/start-program.ts";
import { libraryMethods, testSpec } from "../../test/support/test-api.ts";
import { parseTargets } from "./addresses.ts";
import { type AddressState, openPool, type Pool } from "./pool.ts";

const start = (options: GrpcUpstreamOptions = {}) =>
  startGrpcUpstream([testSpec("Library", libraryMethods())], options);

const open = (...addresses: string[]): Pool => openPool(parseTargets(addresses.join(",")), { healthCheck: true });

const statesOf = (pool: Pool): AddressState["state"][] => pool.states().map(({ state }) => state);

/** The targets of the next calls. */
const targetsOf = (pool: Pool, count: number): string[] =>
  Array.from({ length: count }, () =>
    pool
      .pick()
      .client.getChannel()
      .getTarget()
      .replace(/^.*:(?=\d+\.)/, ""),
  );

/** A server that implements Check but not Watch. */
const checkOnly = (answer: () => "SERVING" | "NOT_SERVING") => (server: Server) => {
  const { Check } = healthService;
  if (Check === undefined) throw new Error("no Check");
  server.addService(
    { Check },
    { Check: (_: unknown, done: (e: null, a: object) => void) => done(null, { status: answer() }) },
  );
};

describe("health of the upstream", () => {
  test("should send no new calls to an address that is not serving, until it serves again", async () => {
    const health = new HealthImplementation({ "": "SERVING" });
    await using first = await start({ extend: (server) => health.addToServer(server) });
    await using second = await start();
    using pool = open(first.address, second.address);
    await until(() => statesOf(pool).join() === "ready,ready");
    expect(new Set(targetsOf(pool, 4))).toEqual(new Set([first.address, second.address]));
    health.setStatus("", "NOT_SERVING");
    await until(() => statesOf(pool).join() === "not-serving,ready");
    expect(new Set(targetsOf(pool, 4))).toEqual(new Set([second.address]));
    health.setStatus("", "SERVING");
    await until(() => statesOf(pool).join() === "ready,ready");
  });

  test("should reject calls with UNAVAILABLE if no address is serving", async () => {
    const health = new HealthImplementation({ "": "NOT_SERVING" });
    await using upstream = await start({ extend: (server) => health.addToServer(server) });
    using pool = open(upstream.address);
    await until(() => statesOf(pool).join() === "not-serving");
    expect(() => pool.pick()).toThrow("the upstream does not serve at the moment");
  });

  test("should count a server without the service as serving, also one that replaces another", async () => {
    const health = new HealthImplementation({ "": "NOT_SERVING" });
    let upstream = await start();
    const port = Number(upstream.address.split(":")[1]);
    using pool = open(upstream.address);
    await until(() => statesOf(pool).join() === "ready");
    await upstream[Symbol.asyncDispose]();
    await until(() => statesOf(pool).join() !== "ready");
    upstream = await start({ port, extend: (server) => health.addToServer(server) });
    await until(() => statesOf(pool).join() === "not-serving");
    await upstream[Symbol.asyncDispose]();
    upstream = await start({ port });
    await until(() => statesOf(pool).join() === "ready");
    await upstream[Symbol.asyncDispose]();
  });

  test("should poll a server that has only Check, and count one that does not know the empty name as serving", async () => {
    await using serving = await start({ extend: checkOnly(() => "SERVING") });
    await using ailing = await start({ extend: checkOnly(() => "NOT_SERVING") });
    const other = new HealthImplementation({ "some.Service": "NOT_SERVING" });
    await using silent = await start({ extend: (server) => other.addToServer(server) });
    using pool = open(serving.address, ailing.address, silent.address);
    await until(() => statesOf(pool).join() === "ready,not-serving,ready");
  });
});
