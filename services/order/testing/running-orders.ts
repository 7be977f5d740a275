import { create, type DescService, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Client, createClient, createContextValues, type Transport } from "@connectrpc/connect";
import { ReservationExpiredSchema } from "../../../gen/docket/inventory/v1/inventory_events_pb.js";
import { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { Saga_State } from "../../../gen/docket/operations/v1/operations_pb.js";
import { CustomerService } from "../../../gen/docket/order/v1/customer_service_pb.js";
import { type Order, Order_State, OrderSchema } from "../../../gen/docket/order/v1/order_pb.js";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { adminRoutes } from "../../runtime/admin/routes.ts";
import { createInProcessBus } from "../../runtime/bus/in-process.ts";
import { createLocalTransport } from "../../runtime/call/local-transport.ts";
import { createServiceClient } from "../../runtime/call/service-client.ts";
import { type Principal, principalKey } from "../../runtime/context-values.ts";
import { openDatabase } from "../../runtime/db/connect.ts";
import { createInterceptors } from "../../runtime/interceptors/interceptors.ts";
import { createLogger } from "../../runtime/telemetry/log.ts";
import { until } from "../../runtime/testing/until.ts";
import { systemClock } from "../../runtime/values/clock.ts";
import { type OrderConfig, orderDefaults } from "../config.ts";
import type { OrderDatabase } from "../db/schema.ts";
import { createOrderService, type OrderDeps } from "../service.ts";
import { fakeInventory } from "./fake-inventory.ts";
import { fakeLogistics } from "./fake-logistics.ts";
import { fakePayment } from "./fake-payment.ts";
import { sagaOperator } from "./saga-operator.ts";

export const tenant = "t1";
/** Overrides of an order; the rest is `anOrder`'s. */
export type OrderInit = MessageInitShape<typeof OrderSchema>;

interface CreateInit {
  readonly requestId?: string;
  readonly validateOnly?: boolean;
  readonly wait?: { readonly seconds: bigint };
}

/** The real order service on a database, with fakes of the other services. The inventory sells TEA for 4.50 EUR. */
export async function startOrders(
  databaseUrl: string,
  config: Partial<OrderConfig> = {},
  overrides: Partial<OrderDeps> = {},
) {
  const log = createLogger({ level: "silent", name: "test" });
  const bus = createInProcessBus({ log });
  const interceptors = createInterceptors({ authenticate: async () => undefined, log, clock: systemClock });
  const { transport, mount } = createLocalTransport({ interceptors });

  const inventory = fakeInventory();
  const payment = fakePayment(bus);
  const logistics = fakeLogistics(bus);
  inventory.put("TEA", 450);
  mount([inventory.spec, payment.spec, logistics.spec]);

  const subject = "order";
  const service = await createOrderService(
    { ...orderDefaults, paymentProviders: ["sandbox"], carriers: ["sandbox"], ...config, databaseUrl },
    {
      bus,
      log,
      ...overrides,
      clients: {
        inventory: createServiceClient(InventoryService, transport, { subject }),
        payment: createServiceClient(PaymentService, transport, { subject }),
        logistics: createServiceClient(LogisticsService, transport, { subject }),
      },
    },
  );
  mount([...service.specs, adminRoutes(new Map([["order", service.admin ?? {}]]))]);
  await service.start();
  const db = await openDatabase<OrderDatabase>({ url: databaseUrl });

  const orders = client(OrderService, transport, { scopes: ["orders.write"] });
  const place = (order: OrderInit = {}, more: CreateInit = {}) =>
    orders.createOrder({ order: anOrder(order), ...more });
  const timeline = async (name: string) => {
    const { events } = await orders.listOrderEvents({ parent: name, pageSize: 1000 });
    const sequences = events.map(({ sequence }) => Number(sequence));
    if (sequences.some((sequence, i) => sequence !== i + 1)) {
      throw new Error(`the timeline of ${name} has gaps: ${sequences}`);
    }
    return events;
  };
  const stateOf = async (name: string) => (await orders.getOrder({ name })).state;
  const reaches = async (name: string, state: keyof typeof Order_State) => {
    try {
      await until(async () => (await stateOf(name)) === Order_State[state]);
    } catch {
      throw new Error(`${name} is ${Order_State[await stateOf(name)]}, not ${state}`);
    }
    return orders.getOrder({ name });
  };

  const sagas = sagaOperator(transport, tenant);
  const sagaOf = async (name: string) => {
    const [saga] = (await sagas.listSagas({ filter: `aggregate = "${name}"`, pageSize: 1 })).sagas;
    if (saga === undefined) {
      throw new Error(`${name} has no saga`);
    }
    return saga;
  };

  return {
    service,
    db,
    bus,
    inventory,
    payment,
    logistics,
    /** Client that places and reads orders of the tenant `t1`. */
    orders,
    /** Client that may set prices. */
    pricing: client(OrderService, transport, { scopes: ["orders.write", "orders.price"] }),
    /** Client with the logistics service's credentials. */
    asLogistics: createServiceClient(OrderService, transport, { subject: "logistics" }).for(tenant),
    stranger: client(OrderService, transport, { scopes: ["orders.write"], tenant: "t2" }),
    sagas,
    customers: client(CustomerService, transport, { scopes: ["customers.anonymize"] }),
    /** The order's newest saga. */
    sagaOf,
    /** Waits until the order's newest saga has succeeded. */
    succeeds: (name: string) => until(async () => (await sagaOf(name)).state === Saga_State.SUCCEEDED),
    /** Leaves an order's reservation of 2 TEA as an earlier attempt would have. */
    async reserved({ name }: Order, state: Parameters<typeof inventory.move>[1], attempt = "") {
      const reservation = `reservations/${name.slice("orders/".length)}${attempt}`;
      inventory.reserve(reservation, { TEA: 2n });
      inventory.move(reservation, state);
    },
    /** Publishes that a reservation has expired, as the inventory would. */
    async expired(order: string, name: string) {
      const data = toBinary(
        ReservationExpiredSchema,
        create(ReservationExpiredSchema, { reservation: { name, order } }),
      );
      const type = ReservationExpiredSchema.typeName;
      const source = "docket/inventory";
      const event = {
        id: `expired-${name}`,
        type,
        source,
        aggregate: name,
        sequence: 1,
        tenant,
        time: new Date(),
        data,
      };
      await bus.publish([{ ...event, extensions: {} }]);
    },
    /** Opens an order's payment as an earlier attempt would have. */
    opened: ({ name }: Order) => payment.opened(`${name}/payments/1`, 900),
    place,
    timeline,
    reaches,
    /** Places an order of 2 TEA, pays for it and waits for the state. */
    async confirmed(order: OrderInit = {}) {
      const { name } = await place(order, { wait: { seconds: 10n } });
      await payment.capture(`${name}/payments/1`, 900);
      return reaches(name, "CONFIRMED");
    },
    async [Symbol.asyncDispose]() {
      await service.drain();
      await service[Symbol.asyncDispose]();
      await bus[Symbol.asyncDispose]();
      await db[Symbol.asyncDispose]();
    },
  };
}

export type RunningOrders = Awaited<ReturnType<typeof startOrders>>;

/** An order of 2 TEA. */
export function anOrder(order: OrderInit = {}): Order {
  const usual = create(OrderSchema, {
    currencyCode: "EUR",
    customer: { id: "c1", displayName: "Ada", email: "ada@example.com" },
    shippingAddress: { recipient: "Ada", addressLines: ["1 Mill Lane"], locality: "London", regionCode: "GB" },
    lineItems: [{ sku: "TEA", quantity: 2 }],
  });
  const given = create(OrderSchema, order);
  const said = Object.fromEntries(Object.keys(order).map((key) => [key, given[key as keyof Order]]));
  return Object.assign(usual, said);
}

function client<Desc extends DescService>(
  service: Desc,
  transport: Transport,
  { scopes, ...more }: Partial<Omit<Principal, "scopes">> & { readonly scopes: readonly string[] },
): Client<Desc> {
  const principal: Principal = { kind: "api_key", tenant, subject: "test", ...more, scopes: new Set(scopes) };
  const values = () => createContextValues().set(principalKey, principal);
  return createClient(service, {
    unary: (method, signal, timeoutMs, header, input) =>
      transport.unary(method, signal, timeoutMs, header, input, values()),
    stream: (method, signal, timeoutMs, header, input) =>
      transport.stream(method, signal, timeoutMs, header, input, values()),
  });
}
