import { expect, test } from "@jest/globals";
import { Shipment_State } from "../../../gen/docket/logistics/v1/logistics_pb.js";
import { Saga_State } from "../../../gen/docket/operations/v1/operations_pb.js";
import type { Order, Order_State } from "../../../gen/docket/order/v1/order_pb.js";
import { describeEachDatabase } from "../../runtime/testing/databases.ts";
import { until } from "../../runtime/testing/until.ts";
import { eur } from "../testing/eur.ts";
import { type OrderInit, type RunningOrders, startOrders, tenant } from "../testing/running-orders.ts";

/**
 * Runs every step and compensation against each external state that it can find, and checks the order's outcome. The
 * service that the step needs is unavailable until that state has been arranged.
 */
interface Case {
  readonly step: string;
  readonly found: string;
  readonly order?: OrderInit;
  /**
   * Arranges the state that the step finds. The order is at the step, which is retried while its service is
   * unavailable.
   */
  arrange(world: RunningOrders, order: Order): Promise<unknown> | undefined;
  readonly becomes: keyof typeof Order_State;
  /** Postconditions. */
  check(world: RunningOrders, order: Order): Promise<void> | undefined;
}

const MANUAL = 2;
const all = 1_000_000n;
const payment = ({ name }: Order) => `${name}/payments/1`;
const reservation = ({ name }: Order, more = "") => `reservations/${name.slice("orders/".length)}${more}`;
const paid = (world: RunningOrders, order: Order) => world.payment.capture(payment(order), 900);
const stock = (world: RunningOrders) => world.inventory.stock.get("TEA");
const live = (world: RunningOrders) =>
  [...world.logistics.shipments.values()].filter(({ state }) => state !== Shipment_State.CANCELLED);
const units = (world: RunningOrders) =>
  live(world)
    .flatMap(({ lines }) => lines)
    .reduce((sum, { quantity }) => sum + quantity, 0);
const refunded = (world: RunningOrders, order: Order) =>
  world.payment.payments.get(payment(order))?.refundedAmount !== undefined;

/** The order is in transit or delivered: nothing was compensated, and nothing is shipped twice. */
async function expectKept(world: RunningOrders, order: Order): Promise<void> {
  await world.succeeds(order.name);
  expect(refunded(world, order)).toBe(false);
  expect(stock(world)).toBe(all - 2n);
  expect(units(world)).toBe(2);
}

const forward: readonly Case[] = [
  ...(["HELD", "COMMITTED", "CONSUMED"] as const).map(
    (state): Case => ({
      step: "hold-stock",
      found: `a reservation that is ${state}`,
      arrange: (world, order) => world.reserved(order, state),
      becomes: "AWAITING_PAYMENT",
      async check(world) {
        expect(stock(world)).toBe(all - 2n);
      },
    }),
  ),
  ...(["EXPIRED", "RELEASED"] as const).map(
    (state): Case => ({
      step: "hold-stock",
      found: `a reservation that is ${state}`,
      arrange: (world, order) => world.reserved(order, state),
      becomes: "AWAITING_PAYMENT",
      async check(world, order) {
        expect(world.inventory.holds.get(reservation(order, "-2"))?.state).toBe("HELD");
        expect(stock(world)).toBe(all - 2n);
      },
    }),
  ),
  {
    step: "open-payment",
    found: "a payment that is captured",
    arrange: (world, order) => world.opened(order).then(() => paid(world, order)),
    becomes: "CONFIRMED",
    check: expectKept,
  },
  {
    step: "open-payment",
    found: "a payment that is authorized, to be captured manually",
    order: { capture: MANUAL },
    arrange: (world, order) => world.opened(order).then(() => world.payment.authorize(payment(order), 900)),
    becomes: "CONFIRMED",
    check: expectKept,
  },
  {
    step: "open-payment",
    found: "a payment that was voided",
    arrange: (world, order) => world.opened(order).then(() => world.payment.void(payment(order))),
    becomes: "CANCELLED",
    async check(world) {
      expect(stock(world)).toBe(all);
    },
  },
  {
    step: "await-payment",
    found: "a payment that was voided",
    arrange: (world, order) => world.payment.void(payment(order)),
    becomes: "CANCELLED",
    async check(world) {
      expect(stock(world)).toBe(all);
    },
  },
  ...(["COMMITTED", "CONSUMED"] as const).map(
    (state): Case => ({
      step: "commit-stock",
      found: `a reservation that is ${state}`,
      arrange: async (world, order) => world.inventory.move(reservation(order), state),
      becomes: "CONFIRMED",
      check: expectKept,
    }),
  ),
  ...(["EXPIRED", "RELEASED"] as const).map(
    (state): Case => ({
      step: "commit-stock",
      found: `a reservation that is ${state}`,
      arrange: async (world, order) => world.inventory.move(reservation(order), state),
      becomes: "CONFIRMED",
      async check(world, order) {
        await expectKept(world, order);
        expect(world.inventory.holds.get(reservation(order, "-2"))?.state).toBe("COMMITTED");
      },
    }),
  ),
  {
    step: "commit-stock",
    found: "two reservations in turn that have expired",
    async arrange(world, order) {
      world.inventory.move(reservation(order), "EXPIRED");
      await world.reserved(order, "EXPIRED", "-2");
    },
    becomes: "CONFIRMED",
    async check(world, order) {
      await expectKept(world, order);
      expect(world.inventory.holds.get(reservation(order, "-3"))?.state).toBe("COMMITTED");
    },
  },
  {
    step: "create-shipment",
    found: "everything in a shipment of another name",
    arrange: (world, { name }) => world.logistics.created(tenant, `${name}/shipments/mine`, { "1": 2 }),
    becomes: "FULFILLING",
    check: expectKept,
  },
  {
    step: "create-shipment",
    found: "everything in another shipment of the same name",
    arrange: (world, { name }) => world.logistics.created(tenant, `${name}/shipments/1`, { "1": 2 }, "express"),
    becomes: "FULFILLING",
    check: expectKept,
  },
  {
    step: "create-shipment",
    found: "everything delivered",
    async arrange(world, { name }) {
      await world.logistics.created(tenant, `${name}/shipments/mine`, { "1": 2 });
      await world.logistics.delivered(tenant, `${name}/shipments/mine`);
    },
    becomes: "COMPLETED",
    check: expectKept,
  },
  {
    step: "create-shipment",
    found: "a part in a shipment of another name",
    arrange: (world, { name }) => world.logistics.created(tenant, `${name}/shipments/mine`, { "1": 1 }),
    becomes: "FULFILLING",
    check: expectKept,
  },
  {
    step: "create-shipment",
    found: "a part in a shipment of the same name",
    arrange: (world, { name }) => world.logistics.created(tenant, `${name}/shipments/1`, { "1": 1 }),
    becomes: "FULFILLING",
    check: expectKept,
  },
  {
    step: "create-shipment",
    found: "a shipment of the same name that was cancelled",
    async arrange(world, { name }) {
      await world.logistics.created(tenant, `${name}/shipments/1`, { "1": 2 });
      await world.logistics.cancelled(tenant, `${name}/shipments/1`);
    },
    becomes: "CONFIRMED",
    check: expectKept,
  },
  {
    step: "create-shipment",
    found: "no shipment, and a carrier that refuses",
    async arrange(world) {
      world.logistics.control.refuse = true;
    },
    becomes: "CANCELLED",
    async check(world, order) {
      expect(refunded(world, order)).toBe(true);
      expect(stock(world)).toBe(all);
    },
  },
  {
    step: "create-shipment",
    found: "an order that a cancellation has closed",
    async arrange(world, { name }) {
      world.logistics.closed.add(name);
    },
    becomes: "CONFIRMED",
    async check(world, order) {
      await until(async () => (await world.sagaOf(order.name)).steps.at(-1)?.lastError.includes("closed") === true);
      expect(refunded(world, order)).toBe(false);
      await world.orders.cancelOrder({ name: order.name });
      await world.reaches(order.name, "CANCELLED");
      expect(refunded(world, order)).toBe(true);
      expect(stock(world)).toBe(all);
    },
  },
  {
    step: "create-shipment",
    found: "a part in a shipment, and a carrier that refuses the rest",
    async arrange(world, { name }) {
      await world.logistics.created(tenant, `${name}/shipments/mine`, { "1": 1 });
      world.logistics.control.refuse = true;
    },
    becomes: "FULFILLING",
    async check(world, order) {
      await until(async () => (await world.sagaOf(order.name)).steps.at(-1)?.lastError.includes("refused") === true);
      expect((await world.sagaOf(order.name)).state).toBe(Saga_State.RUNNING);
      expect(refunded(world, order)).toBe(false);
      expect(stock(world)).toBe(all - 2n);
      world.logistics.control.refuse = false;
      await expectKept(world, order);
    },
  },
];

/** The order is CONFIRMED, and is cancelled once this was arranged. */
const backward: readonly Omit<Case, "step" | "becomes">[] = [
  {
    found: "stock that was consumed",
    arrange: async (world, order) => world.inventory.move(reservation(order), "CONSUMED"),
    async check(world) {
      expect(stock(world)).toBe(all - 2n);
    },
  },
  {
    found: "stock that was released",
    arrange: async (world, order) => world.inventory.move(reservation(order), "RELEASED"),
    check: async (world) => expect(stock(world)).toBe(all),
  },
  {
    found: "money that was refunded",
    arrange: (world, order) => world.payment.refund(payment(order), 900),
    async check(world, order) {
      expect(world.payment.payments.get(payment(order))?.refundedAmount).toEqual(eur(900));
      expect(stock(world)).toBe(all);
    },
  },
  {
    found: "shipments that were cancelled",
    async arrange(world, { name }) {
      await until(() => world.logistics.shipments.has(`${name}/shipments/1`));
      await world.logistics.cancelled(tenant, `${name}/shipments/1`);
    },
    check: async (world) => expect(stock(world)).toBe(all),
  },
];

describeEachDatabase("a saga's step", (open) => {
  const start = async () => {
    const { url } = await open<unknown>();
    return startOrders(url);
  };

  for (const { step, found, order: init = {}, arrange, becomes, check } of forward) {
    test(`${step} finds ${found}: the order is ${becomes}`, async () => {
      await using world = await start();
      const outage = { "hold-stock": "inventory", "open-payment": "payment" }[step];
      for (const service of outage === undefined ? [] : [world[outage as "inventory" | "payment"]]) {
        service.control.away = Number.POSITIVE_INFINITY;
      }
      const order = await world.place(init);
      if (outage === undefined) {
        await world.reaches(order.name, "AWAITING_PAYMENT");
      }
      if (step === "commit-stock") {
        world.inventory.control.away = Number.POSITIVE_INFINITY;
        await paid(world, order);
      }
      if (step === "create-shipment") {
        world.logistics.control.away = Number.POSITIVE_INFINITY;
        await paid(world, order);
      }
      await until(async () => (await world.sagaOf(order.name)).steps.find((it) => it.step === step)?.state !== 1);
      if (step === "create-shipment") {
        await world.reaches(order.name, "CONFIRMED");
      }
      await arrange(world, order);
      for (const service of [world.inventory, world.payment, world.logistics]) {
        service.control.away = 0;
      }
      await world.reaches(order.name, becomes);
      await check(world, order);
    });
  }

  for (const { found, arrange, check } of backward) {
    test(`that is compensated finds ${found}, and leaves it so`, async () => {
      await using world = await start();
      const order = await world.confirmed();
      await arrange(world, order);
      await world.orders.cancelOrder({ name: order.name });
      await world.reaches(order.name, "CANCELLED");
      await check(world, order);
      expect(live(world)).toEqual([]);
    });
  }
});
