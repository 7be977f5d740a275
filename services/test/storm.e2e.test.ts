import { expect, test } from "@jest/globals";
import { Automation, type Order, Order_State } from "../../gen/docket/order/v1/order_pb.js";
import type { Docket } from "../../web-client/sdk/docket.ts";
import { DocketError } from "../../web-client/sdk/errors.ts";
import { money } from "../../web-client/sdk/money.ts";
import { randomNumbers, testSeed } from "../runtime/testing/random.ts";
import { auditBooks } from "./support/audit/books.ts";
import { stockTea, teaOrder } from "./support/shop.ts";
import { openShops } from "./support/shops.ts";
import { describeEachStorage } from "./support/start-docket.ts";

/** Bounded by count, not by time. `DOCKET_TEST_SEED` repeats a storm as far as the order of concurrent calls allows. */
const ORDERS = 8;
const OPERATIONS = 120;
const CONCURRENCY = 6;
const UNITS = 100;

const { PLACING, AWAITING_PAYMENT, CONFIRMED, FULFILLING, COMPLETED, CANCELLED, EXPIRED, ON_HOLD, NEEDS_ATTENTION } =
  Order_State;
const over: ReadonlySet<Order_State> = new Set([COMPLETED, CANCELLED, EXPIRED]);

/** Refusals that a caller has to expect when others work on the same order; each other code is a fault. */
const expected: ReadonlySet<string> = new Set([
  "FAILED_PRECONDITION",
  "ABORTED",
  "NOT_FOUND",
  "INVALID_ARGUMENT",
  "ALREADY_EXISTS",
]);

const sagaOf = (name: string) => name.replace("orders/", "sagas/");
const tokens = ["tok_success", "tok_duplicate", "tok_reordered", "tok_action", "tok_decline"];
const eur = (cents: number) => money("EUR", `${(cents / 100).toFixed(2)}`);

/**
 * A merchant may accept a loss: complete a delivered order that was never paid for, or refund by hand more than was
 * cancelled. Too little kept is then no fault of the books; too much always is.
 */
function isLossAccepted(problem: string): boolean {
  const amounts = /(?:is COMPLETED:|has cancelled units:) (\d+) (?:of|kept of) (\d+) (?:taken|due)$/.exec(problem);
  return amounts !== null && Number(amounts[1]) < Number(amounts[2]);
}

type Operation = (shop: Docket, name: string, random: (below: number) => number) => Promise<unknown>;

const operations: Readonly<Record<string, Operation>> = {
  capture: (shop, name) => shop.payments.capturePayment({ name: `${name}/payments/1` }),
  capturePart: (shop, name, random) =>
    shop.payments.capturePayment({ name: `${name}/payments/1`, amount: eur(1 + random(900)) }),
  void: (shop, name) => shop.payments.voidPayment({ name: `${name}/payments/1` }),
  refund: (shop, name) => shop.payments.refundPayment({ name: `${name}/payments/1` }),
  refundPart: (shop, name, random) =>
    shop.payments.refundPayment({ name: `${name}/payments/1`, amount: eur(1 + random(300)) }),
  shipPart: (shop, name) =>
    shop.shipments.createShipment({ parent: name, shipment: { lines: [{ lineItemId: "1", quantity: 1 }] } }),
  shipRest: (shop, name) =>
    shop.shipments.createShipment({ parent: name, shipment: { carrierService: "deliver_now" } }),
  cancel: (shop, name) => shop.orders.cancelOrder({ name }),
  cancelLine: (shop, name) => shop.orders.cancelOrderLines({ name, lines: [{ lineItemId: "1", quantity: 1 }] }),
  hold: (shop, name) => shop.orders.holdOrder({ name }),
  release: (shop, name) => shop.orders.releaseOrder({ name }),
  pause: (shop, name) => shop.sagas.pauseSaga({ name: sagaOf(name) }),
  resume: (shop, name) => shop.sagas.resumeSaga({ name: sagaOf(name) }),
  retry: (shop, name) => shop.sagas.retrySaga({ name: sagaOf(name) }),
  compensate: (shop, name) => shop.sagas.compensateSaga({ name: sagaOf(name) }),
  async replayCallbacks(shop, name) {
    const { paymentCallbacks } = await shop.payments.listPaymentCallbacks({ filter: `payment = "${name}/payments/1"` });
    await Promise.all(paymentCallbacks.map((it) => shop.payments.replayPaymentCallback({ name: it.name })));
  },
};

describeEachStorage("a storm of operations", (createStorage) => {
  const shops = openShops(createStorage);

  test("on the same orders ends with balanced books, and each order is led to its end by a documented method", async () => {
    const { docket: shop } = await shops.docket.tenant("storm");
    await stockTea(shop, UNITS);
    const random = randomNumbers(testSeed);
    const faults: string[] = [];
    const attempt = async (what: string, call: () => Promise<unknown>) => {
      try {
        await call();
        return true;
      } catch (error) {
        if (!(error instanceof DocketError) || !expected.has(error.code)) {
          faults.push(`${what}: ${error}`);
        }
        return false;
      }
    };

    const names: string[] = [];
    for (let i = 0; i < ORDERS; i++) {
      const order = teaOrder({
        lineItems: [{ sku: "TEA", quantity: 2 }],
        paymentToken: tokens[random(tokens.length)] ?? "",
        capture: random(2) === 0 ? Automation.AUTOMATIC : Automation.MANUAL,
        fulfillment: random(2) === 0 ? Automation.AUTOMATIC : Automation.MANUAL,
      });
      names.push((await shop.orders.createOrder({ order })).name);
    }
    const table = Object.entries(operations);
    let left = OPERATIONS;
    const worker = async () => {
      while (left > 0) {
        left -= 1;
        const [what, operation] = table[random(table.length)] ?? ["", () => Promise.resolve()];
        const name = names[random(names.length)] ?? "";
        await attempt(`${what} ${name}`, () => operation(shop, name, random));
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));

    const leadOn = async ({ name, state, lineItems }: Order) => {
      const [line] = lineItems;
      const rest = (line?.quantity ?? 0) - (line?.quantityCancelled ?? 0) - (line?.quantityShipped ?? 0);
      const ask = (what: string, call: () => Promise<unknown>) => attempt(`lead on: ${what} ${name}`, call);
      await ask("resume", () => shop.sagas.resumeSaga({ name: sagaOf(name) }));
      if (state === ON_HOLD || state === NEEDS_ATTENTION || state === CONFIRMED || state === AWAITING_PAYMENT) {
        if (!(await ask("cancel", () => shop.orders.cancelOrder({ name })))) {
          await ask("release", () => shop.orders.releaseOrder({ name }));
        }
      }
      if (state === FULFILLING || state === NEEDS_ATTENTION) {
        await ask("capture", () => shop.payments.capturePayment({ name: `${name}/payments/1` }));
        if (rest > 0) {
          const lines = [{ lineItemId: "1", quantity: rest }];
          await ask("cancel the rest", () => shop.orders.cancelOrderLines({ name, lines }));
        }
      }
    };
    const stories = new Map<string, string>();
    for (let round = 0; round < 300; round++) {
      const orders = await Promise.all(names.map((name) => shop.orders.getOrder({ name })));
      const open = orders.filter(({ state }) => !over.has(state));
      stories.clear();
      for (const order of open) {
        stories.set(order.name, `${Order_State[order.state]} ${order.attentionMessage}`);
        await (order.state === PLACING
          ? attempt("resume", () => shop.sagas.resumeSaga({ name: sagaOf(order.name) }))
          : leadOn(order));
      }
      if (open.length === 0 && (await auditBooks(shop)).length === 0) {
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const problems = (await auditBooks(shop)).filter((problem) => !isLossAccepted(problem));
    expect({ seed: testSeed, faults, open: [...stories], problems }).toEqual({
      seed: testSeed,
      faults: [],
      open: [],
      problems: [],
    });
  }, 180_000);
});
