import { create } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, createServiceImplSpec } from "@connectrpc/connect";
import { LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { type Order, OrderSchema, Order_State as OrderState } from "../../../gen/docket/order/v1/order_pb.js";
import { type ClosedUnits, OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { createInProcessBus } from "../../runtime/bus/in-process.ts";
import { createLocalTransport } from "../../runtime/call/local-transport.ts";
import { createServiceClient } from "../../runtime/call/service-client.ts";
import type { OnStatement } from "../../runtime/db/statement.ts";
import { failedPrecondition, notFound } from "../../runtime/errors.ts";
import { createInterceptors } from "../../runtime/interceptors/interceptors.ts";
import { createLogger } from "../../runtime/telemetry/log.ts";
import type { OpenTestDatabase } from "../../runtime/testing/databases.ts";
import { systemClock } from "../../runtime/values/clock.ts";
import { startSandbox } from "../../sandbox/testing/running-sandbox.ts";
import type { Carrier } from "../carriers/carrier.ts";
import { logisticsDefaults } from "../config.ts";
import type { LogisticsDatabase } from "../db/schema.ts";
import { createLogisticsService } from "../service.ts";

export const tenant = "tenant-a";

export interface LogisticsOptions {
  readonly stepMs?: number;
  readonly carriers?: readonly Carrier[];
  readonly trackAfterMs?: number;
  readonly expireAfterMs?: number;
  readonly carrierTimeoutMs?: number;
  readonly onStatement?: OnStatement;
}

/** A CONFIRMED order with two lines, as the order service would return it. */
export function confirmedOrder(id: string, changes: Partial<Pick<Order, "state" | "carrier">> = {}): Order {
  return create(OrderSchema, {
    name: `orders/${id}`,
    state: OrderState.CONFIRMED,
    lineItems: [
      { id: "1", sku: "chai", quantity: 5 },
      { id: "2", sku: "chang", quantity: 2 },
    ],
    shippingAddress: { recipient: "Ada", addressLines: ["1 Main St"], locality: "London", regionCode: "GB" },
    ...changes,
  });
}

/**
 * Starts the real service on an empty database, with the real sandbox on another, which it calls over HTTP. Orders are a
 * map; callbacks go directly to the RPC that receives them.
 */
export async function startLogistics(open: OpenTestDatabase, options: LogisticsOptions = {}) {
  await using opening = new AsyncDisposableStack();
  const db = await open<LogisticsDatabase>();
  const orders = new Map<string, Order>();
  const unfunded = new Set<string>();
  const announced = { meanwhile: async (_closedUnits: readonly ClosedUnits[]): Promise<void> => {} };
  const log = createLogger({ level: "silent", name: "test" });
  const bus = opening.use(createInProcessBus({ log }));
  const interceptors = createInterceptors({
    authenticate: async () => undefined,
    log,
    clock: systemClock,
  });
  const { transport, mount } = createLocalTransport({ interceptors });
  mount([
    createServiceImplSpec<typeof OrderService>(OrderService, {
      async announceShipment({ name, closedUnits }) {
        const order = orders.get(name);
        if (order === undefined) {
          throw notFound("docket.dev/Order", name);
        }
        if (unfunded.has(name)) {
          throw failedPrecondition("ORDER_NOT_FUNDED", `${name} is not paid`, []);
        }
        await announced.meanwhile(closedUnits);
        return order;
      },
    }),
  ]);
  const anybody = createClient(LogisticsService, transport);
  const receive: typeof fetch = async (input, init) => {
    const carrier = new URL(`${input}`).pathname.split("/").at(-1) ?? "";
    const data = new Uint8Array(init?.body as Buffer);
    try {
      const headers = init?.headers ?? {};
      const response = await anybody.receiveCarrierCallback({ carrier, body: { data } }, { headers });
      return new Response(Buffer.from(response.data), { headers: { "content-type": response.contentType } });
    } catch (error) {
      return new Response("", { status: ConnectError.from(error).code === Code.Unauthenticated ? 401 : 500 });
    }
  };
  const sandbox = opening.use(await startSandbox({ stepMs: options.stepMs ?? 20, fetch: receive }));
  const start = () =>
    createLogisticsService(
      {
        ...logisticsDefaults,
        databaseUrl: db.url,
        carriers: ["sandbox"],
        carrierSettings: { sandbox: sandbox.carrier },
        workPollMs: 20,
        trackAfterMs: options.trackAfterMs ?? logisticsDefaults.trackAfterMs,
        expireAfterMs: options.expireAfterMs ?? logisticsDefaults.expireAfterMs,
        carrierTimeoutMs: options.carrierTimeoutMs ?? 20_000,
      },
      {
        clients: { order: createServiceClient(OrderService, transport, { subject: "logistics" }) },
        bus,
        log,
        ...(options.carriers && { carriers: options.carriers }),
        ...(options.onStatement && { onStatement: options.onStatement }),
      },
    );
  const service = opening.use(await start());
  opening.defer(() => service.drain());
  mount(service.specs);
  const clients = createServiceClient(LogisticsService, transport, { subject: "test" });
  const stack = opening.move();
  return {
    db,
    bus,
    sandbox,
    orders,
    /**
     * Hook that runs after a shipment's announcement, before the order service returns the previous state of the order.
     */
    announced,
    service,
    /** Creates a second instance on the same database, not started. */
    startAnother: start,
    receive,
    logistics: clients.for(tenant) as Client<typeof LogisticsService>,
    clientOf: (name: string): Client<typeof LogisticsService> => clients.for(name),
    /** Names of orders whose funds do not cover their shipment. */
    unfunded,
    addOrder(id: string, changes: Partial<Pick<Order, "state" | "carrier">> = {}) {
      orders.set(`orders/${id}`, confirmedOrder(id, changes));
    },
    /** Returns the short names of an order's events, in order. */
    async published(id: string): Promise<string[]> {
      const rows = await db.kysely
        .selectFrom("outbox_messages")
        .select("type")
        .where("aggregate", "=", `orders/${id}`)
        .orderBy("sequence")
        .execute();
      return rows.map(({ type }) => type.slice("docket.logistics.v1.Shipment".length));
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export type Logistics = Awaited<ReturnType<typeof startLogistics>>;
