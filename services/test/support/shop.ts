import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Order, Order_State, type OrderSchema } from "../../../gen/docket/order/v1/order_pb.js";
import type { Money } from "../../../gen/google/type/money_pb.js";
import type { Docket } from "../../../web-client/sdk/docket.ts";
import { money } from "../../../web-client/sdk/money.ts";

type OrderInit = Exclude<MessageInitShape<typeof OrderSchema>, Order>;

/** An order of one unit of TEA for 4.50 EUR whose payment succeeds, with overrides. */
export function teaOrder(own: Partial<OrderInit> = {}): OrderInit {
  return {
    currencyCode: "EUR",
    customer: { id: "c1" },
    shippingAddress: { recipient: "Ada", addressLines: ["1 Main St"], locality: "Berlin", regionCode: "DE" },
    lineItems: [{ sku: "TEA", quantity: 1 }],
    paymentToken: "tok_success",
    ...own,
  };
}

/** Creates TEA with this stock. */
export async function stockTea(docket: Docket, units: number): Promise<void> {
  await docket.items.createItem({
    item: { sku: "TEA", title: "Green tea", prices: [money("EUR", "4.50")], stockOnHand: BigInt(units) },
  });
}

/** Waits until the order is in one of the states. On a timeout fails with its state and timeline. */
export async function untilState(
  docket: Docket,
  name: string,
  states: readonly Order_State[],
  withinMs = 20_000,
): Promise<Order> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const order = await docket.orders.getOrder({ name });
    if (states.includes(order.state)) {
      return order;
    }
    if (performance.now() > deadline) {
      const events = await Array.fromAsync(docket.listOrderEvents({ parent: name }));
      const story = events.map(({ type, message }) => `${type} ${message}`).join("\n  ");
      throw new Error(`${name} is still ${Order_State[order.state]}:\n  ${story}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The state of an order, ignoring a hold. */
export function reached({ state, heldState }: Order): Order_State {
  return state === Order_State.ON_HOLD ? heldState : state;
}

/** Amount in hundredths; zero if undefined. */
export function cents(amount: Money | undefined): bigint {
  return amount === undefined ? 0n : amount.units * 100n + BigInt(amount.nanos / 10_000_000);
}
