import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { AdminService } from "../../gen/docket/admin/v1/admin_service_pb.js";
import { EventBusService } from "../../gen/docket/bus/v1/event_bus_service_pb.js";
import { ShipmentClosedSchema } from "../../gen/docket/logistics/v1/logistics_events_pb.js";
import { Order_State } from "../../gen/docket/order/v1/order_pb.js";
import { PaymentCapturedSchema } from "../../gen/docket/payment/v1/payment_events_pb.js";
import { createDocket } from "../../web-client/sdk/docket.ts";
import { createServiceTokens } from "../runtime/auth/service-tokens.ts";
import { createServiceClient } from "../runtime/call/service-client.ts";
import { fixed } from "../runtime/config/live.ts";
import { createGrpcTransport } from "../runtime/grpc/transport.ts";
import { until } from "../runtime/testing/until.ts";
import { systemClock } from "../runtime/values/clock.ts";
import { runCli } from "./support/cli.ts";
import { startProcesses } from "./support/processes.ts";
import { runToEnd } from "./support/program.ts";
import { stockTea, teaOrder, untilState } from "./support/shop.ts";
import { describeEachStorage } from "./support/start-docket.ts";

describeEachStorage("processes, each with one target,", (createStorage) => {
  test("bring an order from its creation to its delivery, and drain when they are asked to end", async () => {
    await using storage = await createStorage();
    await using docket = await startProcesses(storage);
    const { gateway, programs } = docket;
    await stockTea(gateway.docket, 5);
    const { name } = await gateway.docket.orders.createOrder({ order: teaOrder() });
    await untilState(gateway.docket, name, [Order_State.COMPLETED], 120_000);
    const { stockOnHand, stockReserved } = await gateway.docket.items.getItem({ name: "items/TEA" });
    expect({ stockOnHand, stockReserved }).toEqual({ stockOnHand: 4n, stockReserved: 0n });
    for (const program of programs.values()) {
      expect(await program.stop()).toBe(0);
    }
  }, 400_000);

  test("finish the orders that were on their way when each service in turn was killed and started again", async () => {
    await using storage = await createStorage();
    await using docket = await startProcesses(storage);
    // With the retries of the SDK, as its users have them.
    const client = createDocket({ baseUrl: docket.gateway.httpUrl, apiKey: docket.gateway.key });
    await stockTea(client, 20);
    const names: string[] = [];
    for (const target of ["order", "payment", "inventory", "logistics", "operations", "sandbox"] as const) {
      const { name } = await client.orders.createOrder({ order: teaOrder() });
      names.push(name);
      await docket.restart(target);
    }
    for (const name of names) {
      await untilState(client, name, [Order_State.COMPLETED], 180_000);
    }
    const { stockOnHand, stockReserved } = await client.items.getItem({ name: "items/TEA" });
    expect({ stockOnHand, stockReserved }).toEqual({ stockOnHand: 14n, stockReserved: 0n });
  }, 600_000);

  test("show operators the sagas and dead letters of every service, and name one that is away", async () => {
    await using storage = await createStorage();
    await using docket = await startProcesses(storage);
    const { gateway, programs } = docket;
    const at = { url: gateway.httpUrl, key: gateway.key };
    const json = async (...args: string[]) => {
      const { code, stdout, stderr } = await runCli([...args, "--json"], at);
      expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
      return stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Record<string, string>]));
    };
    await stockTea(gateway.docket, 1);
    const { name } = await gateway.docket.orders.createOrder({ order: teaOrder({ paymentToken: "tok_action" }) });
    expect(await json("sagas", "list")).toMatchObject([{ aggregate: name, service: "order", tenant: "default" }]);
    expect(await json("sagas", "pause", name)).toMatchObject([{ state: "PAUSED" }]);
    expect(await json("sagas", "resume", name)).toMatchObject([{ aggregate: name }]);

    // Not a message: the consumers give up at once.
    const data = Uint8Array.of(0xff);
    const { sign } = createServiceTokens({ secrets: fixed([docket.serviceSecret]), clock: systemClock });
    for (const [target, type] of [
      ["order", PaymentCapturedSchema.typeName],
      ["inventory", ShipmentClosedSchema.typeName],
    ] as const) {
      const address = programs.get(target)?.grpcAddress ?? "";
      await using connection = createGrpcTransport({ address, interceptors: [sign] });
      const bus = createServiceClient(EventBusService, connection.transport, { subject: "bus" }).for("");
      const about = { source: "test", aggregate: "orders/1", sequence: 1n, tenant: "default", time: {} };
      await bus.deliverEvents({ events: [{ id: `not-${type}`, type, data, ...about }] });
    }
    const letters = await json("dead-letters", "list", "--filter", "NOT replay_time:*");
    expect(letters.map(({ service, consumer }) => `${service} ${consumer}`)).toEqual([
      "inventory inventory.shipments",
      "order order.payments",
    ]);
    const letter = letters[0]?.["name"] ?? "";
    const replay = await runCli(["dead-letters", "replay", letter], at);
    expect(replay).toMatchObject({ code: 3, stderr: expect.stringContaining("inventory.shipments failed again") });
    expect(await json("dead-letters", "get", letter)).toMatchObject([{ attemptCount: 2 }]);
    const headers = { authorization: `Bearer ${gateway.key}` };
    const refused = async () => {
      const trail = await fetch(`${at.url}/v1/auditEvents?filter=${encodeURIComponent("outcome = DENIED")}`, {
        headers,
      });
      return (await trail.text()).includes("REPLAY_FAILED");
    };
    await until(refused);

    await programs.get("inventory")?.kill();
    const away = await runCli(["dead-letters", "list"], at);
    expect(away).toMatchObject({ code: 6, stderr: expect.stringContaining("are not responding: inventory") });
    const { sagas, unreachable } = await gateway.docket.sagas.listSagas({ returnPartialSuccess: true });
    expect([sagas.map(({ aggregate }) => aggregate), unreachable]).toEqual([[name], ["inventory"]]);
  }, 400_000);
});

describe("a process with some of the targets", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "docket-targets-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test("names every setting that it lacks to reach the others", async () => {
    const { code, said } = await runToEnd({ DOCKET_DATA_DIR: folder, DOCKET_SERVICES: "payment,order" });
    expect(code).toBe(1);
    expect(said).toContain("logistics=host:port,inventory=host:port,operations=host:port,sandbox=host:port");
    expect(said).toContain("DOCKET_SERVICE_SECRET is required");
    expect(said).toContain("DOCKET_PUBLIC_URL is required");
  });

  test("refuses a target that does not exist and names those that do", async () => {
    const { code, said } = await runToEnd({ DOCKET_DATA_DIR: folder, DOCKET_SERVICES: "orders" });
    expect(code).toBe(1);
    expect(said).toContain("order, payment, logistics, inventory, operations, sandbox, gateway");
  });

  test.each([
    [
      { DOCKET_PAYMENT_PROVIDERS: "sandbox,stripe" },
      'Unknown payment provider "stripe". Known payment providers: sandbox.',
    ],
    [{ DOCKET_CARRIERS: "pigeon" }, 'Unknown carrier "pigeon". Known carriers: sandbox.'],
  ])("refuses %j and names what exists", async (settings, problem) => {
    const { code, said } = await runToEnd({ DOCKET_DATA_DIR: folder, ...settings });
    expect(code).toBe(1);
    expect(said).toContain(problem);
    expect(said).not.toContain("    at ");
  });

  test("takes events and serves its administration for services of the installation alone", async () => {
    await using storage = { environment: { DOCKET_DATA_DIR: folder }, [Symbol.asyncDispose]: async () => {} };
    await using docket = await startProcesses(storage);
    const address = docket.programs.get("order")?.grpcAddress ?? "";
    await using connection = createGrpcTransport({ address });
    const bus = createClient(EventBusService, connection.transport);
    const event = { id: "1", type: "a.B", source: "s", aggregate: "orders/1", sequence: 1n, time: {} };
    const admin = createClient(AdminService, connection.transport);
    const codesOf = async (headers: Record<string, string>) => {
      const listing = admin.listSagas({ service: "order", limit: 1 }, { headers });
      const outcomes = await Promise.allSettled([bus.deliverEvents({ events: [event] }, { headers }), listing]);
      return outcomes.map((outcome) => outcome.status === "rejected" && Code[ConnectError.from(outcome.reason).code]);
    };
    const unauthenticated = ["Unauthenticated", "Unauthenticated"];
    expect(await codesOf({})).toEqual(unauthenticated);
    const denied = ["PermissionDenied", "PermissionDenied"];
    expect(await codesOf({ authorization: `Bearer ${docket.gateway.key}` })).toEqual(denied);
    expect(await codesOf({ authorization: "Service eyJhbGciOiJub25lIn0.e30." })).toEqual(unauthenticated);
  }, 400_000);
});
