/**
 * A shop with five tins of tea and eight buyers who come at once: five are served, three find nothing left. Then a declined
 * payment, a cancellation, and the books. Needs no data, and works in a tenant of its own.
 *
 *     make tea-shop
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Order, Order_State } from "../../gen/docket/order/v1/order_pb.js";
import { createDocket } from "../../web-client/sdk/docket.ts";
import { DocketError } from "../../web-client/sdk/errors.ts";
import { formatMoney, money } from "../../web-client/sdk/money.ts";
import { useDocket } from "../local-docket.ts";

const tins = 5;
const buyers = 8;

await using running = await useDocket();
const tenant = `tea-shop-${Date.now().toString(36)}`;
const admin = createDocket({ baseUrl: running.url, apiKey: running.adminKey });
const { key } = await admin.apiKeys.createApiKey({ apiKey: { displayName: "Tea shop", scopes: ["admin"], tenant } });
const docket = createDocket({ baseUrl: running.url, apiKey: key });
console.log(`Docket at ${running.url}, tenant ${tenant}`);

await docket.items.createItem({
  item: { sku: "TEA", title: "Green tea", prices: [money("EUR", "4.50")], stockOnHand: BigInt(tins) },
});

/** Orders one tin. The payment token selects the sandbox's outcome. */
const buy = (buyer: string, paymentToken = "tok_success") =>
  docket.placeOrder({
    externalId: buyer,
    currencyCode: "EUR",
    customer: { id: buyer },
    shippingAddress: { recipient: buyer, addressLines: ["1 Main St"], locality: "Berlin", regionCode: "DE" },
    lineItems: [{ sku: "TEA", quantity: 1 }],
    paymentToken,
  });

/** The reason of a rejected order. Any other error fails the example. */
async function reasonOf(order: Promise<Order>): Promise<string> {
  try {
    await order;
    return "none";
  } catch (error) {
    if (error instanceof DocketError && error.reason !== undefined) {
      return error.reason;
    }
    throw error;
  }
}

const names = Array.from({ length: buyers }, (_, index) => `buyer-${index + 1}`);
const results = await Promise.allSettled(names.map((name) => buy(name)));
const placed = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
console.log(`${buyers} buyers for ${tins} tins: ${placed.length} orders are paid`);

/** Waits until an order is delivered by the sandbox's carrier, or cancelled with its stock released. */
async function untilEnded({ name }: Order): Promise<Order> {
  for (let tries = 0; tries < 600; tries++) {
    const order = await docket.orders.getOrder({ name });
    if (order.state === Order_State.COMPLETED || order.state === Order_State.CANCELLED) {
      return order;
    }
    await sleep(100);
  }
  throw new Error(`${name} has not ended within a minute`);
}

for (const order of await Promise.all(placed.map(untilEnded))) {
  console.log(`  ${order.externalId}: ${Order_State[order.state]}, ${order.total ? formatMoney(order.total) : ""}`);
}

const soldOut = await reasonOf(buy("late"));
await docket.items.adjustStock({ name: "items/TEA", delta: 2n, requestId: crypto.randomUUID() });
const declined = await reasonOf(buy("poor", "tok_decline"));
console.log(`a buyer too late is refused with ${soldOut}, one whose payment is declined with ${declined}`);

const undecided = await buy("undecided", "tok_action");
await docket.orders.cancelOrder({ name: undecided.name, requestId: crypto.randomUUID() });
await untilEnded(undecided);

const item = await docket.items.getItem({ name: "items/TEA" });
const orders = await Array.fromAsync(docket.listOrders());
const states = Object.entries(Object.groupBy(orders, ({ state }) => Order_State[state] ?? "UNKNOWN"));
console.log(`orders: ${states.map(([state, all]) => `${all?.length ?? 0} ${state}`).join(", ")}`);
console.log(`stock: ${tins + 2} tins came in, ${placed.length} went out, ${item.stockAvailable} can be sold`);

const isRight = placed.length === tins && soldOut === "OUT_OF_STOCK" && declined === "PAYMENT_FAILED";
process.exitCode = isRight && item.stockAvailable === 2n ? 0 : 1;
