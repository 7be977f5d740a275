import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { EventBusService } from "../../gen/docket/bus/v1/event_bus_service_pb.js";
import { Order_State } from "../../gen/docket/order/v1/order_pb.js";
import { createDocket } from "../../web-client/sdk/docket.ts";
import { createGrpcTransport } from "../runtime/grpc/transport.ts";
import { startProcesses } from "./support/processes.ts";
import { runToEnd } from "./support/program.ts";
import { stockTea, teaOrder, untilState } from "./support/shop.ts";
import { describeEachStorage } from "./support/start-docket.ts";

describeEachStorage("six processes, each with one target,", (createStorage) => {
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
    for (const target of ["order", "payment", "inventory", "logistics", "operations"] as const) {
      const { name } = await client.orders.createOrder({ order: teaOrder() });
      names.push(name);
      await docket.restart(target);
    }
    for (const name of names) {
      await untilState(client, name, [Order_State.COMPLETED], 180_000);
    }
    const { stockOnHand, stockReserved } = await client.items.getItem({ name: "items/TEA" });
    expect({ stockOnHand, stockReserved }).toEqual({ stockOnHand: 15n, stockReserved: 0n });
  }, 600_000);
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
    expect(said).toContain("logistics=host:port,inventory=host:port,operations=host:port");
    expect(said).toContain("DOCKET_SERVICE_SECRET is required");
    expect(said).toContain("DOCKET_PUBLIC_URL is required");
  });

  test("refuses a target that does not exist and names those that do", async () => {
    const { code, said } = await runToEnd({ DOCKET_DATA_DIR: folder, DOCKET_SERVICES: "orders" });
    expect(code).toBe(1);
    expect(said).toContain("order, payment, logistics, inventory, operations, gateway");
  });

  test("takes events from services of the installation alone", async () => {
    await using storage = { environment: { DOCKET_DATA_DIR: folder }, [Symbol.asyncDispose]: async () => {} };
    await using docket = await startProcesses(storage);
    const address = docket.programs.get("order")?.grpcAddress ?? "";
    await using connection = createGrpcTransport({ address });
    const bus = createClient(EventBusService, connection.transport);
    const event = { id: "1", type: "a.B", source: "s", aggregate: "orders/1", sequence: 1n, time: {} };
    const codeOf = (headers: Record<string, string>) =>
      bus.deliverEvents({ events: [event] }, { headers }).then(
        () => undefined,
        (error: { code: Code }) => Code[error.code],
      );
    expect(await codeOf({})).toBe("Unauthenticated");
    expect(await codeOf({ authorization: `Bearer ${docket.gateway.key}` })).toBe("PermissionDenied");
    expect(await codeOf({ authorization: "Service eyJhbGciOiJub25lIn0.e30." })).toBe("Unauthenticated");
  }, 400_000);
});
