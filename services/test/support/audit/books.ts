import { type Shipment, Shipment_State } from "../../../../gen/docket/logistics/v1/logistics_pb.js";
import { Automation, type Order, Order_State } from "../../../../gen/docket/order/v1/order_pb.js";
import { Payment_State, Refund_State } from "../../../../gen/docket/payment/v1/payment_pb.js";
import type { Docket } from "../../../../web-client/sdk/docket.ts";
import { cents, reached } from "../shop.ts";
import { orderOf } from "./order-of.ts";
import { auditSagas } from "./saga-books.ts";
import { auditStock } from "./stock-books.ts";

const { CONFIRMED, FULFILLING, COMPLETED, CANCELLED, EXPIRED, NEEDS_ATTENTION } = Order_State;

/** Terminal states without a sale: no stock is reserved and no money is kept. */
const over: ReadonlySet<Order_State> = new Set([CANCELLED, EXPIRED]);
/** States of orders that are paid, or authorized with manual capture. */
const funded: ReadonlySet<Order_State> = new Set([CONFIRMED, FULFILLING, COMPLETED]);

/**
 * Audits a tenant's books and returns one line per discrepancy: stock, reservations, money, shipments, timelines and
 * sagas. Work in progress counts as a discrepancy, so an empty list also means that the tenant is settled.
 */
export async function auditBooks(docket: Docket): Promise<string[]> {
  const orders = await Array.fromAsync(docket.listOrders({ pageSize: 1000 }));
  const shipments = await Array.fromAsync(docket.listShipments({ parent: "orders/-", pageSize: 1000 }));
  const perOrder = [await auditMoney(docket, orders), auditShipments(shipments, orders)];
  const rest = await Promise.all([auditStock(docket, orders, shipments), auditSagas(docket, orders)]);
  const timelines = await Promise.all(orders.slice(0, 100).map((order) => auditTimeline(docket, order)));
  return [...perOrder, ...rest, ...timelines].flat();
}

async function auditMoney(docket: Docket, orders: readonly Order[]): Promise<string[]> {
  const payments = Map.groupBy(
    await Array.fromAsync(docket.listPayments({ parent: "orders/-", pageSize: 1000 })),
    ({ name }) => name.slice(0, name.indexOf("/payments/")),
  );
  return orders.flatMap((order) => {
    const problems: string[] = [];
    const own = payments.get(order.name) ?? [];
    const sum = (field: "capturedAmount" | "refundedAmount") =>
      own.reduce((total, payment) => total + cents(payment[field]), 0n);
    const [captured, refunded] = [sum("capturedAmount"), sum("refundedAmount")];
    for (const payment of own) {
      const given = payment.refunds.filter(({ state }) => state === Refund_State.SUCCEEDED);
      if (given.reduce((total, { amount }) => total + cents(amount), 0n) !== cents(payment.refundedAmount)) {
        problems.push(`${payment.name}: its refunds are not what it refunded`);
      }
      if (payment.refunds.some(({ state }) => state === Refund_State.PENDING)) {
        problems.push(`${payment.name}: a refund is pending`);
      }
      if (over.has(order.state) && payment.state === Payment_State.AUTHORIZED) {
        problems.push(`${payment.name}: money is still promised for an order that is over`);
      }
    }
    if (captured > cents(order.total)) {
      problems.push(`${order.name}: ${captured} cents were taken for ${cents(order.total)}`);
    }
    if (over.has(order.state) && captured !== refunded) {
      problems.push(`${order.name} is ${Order_State[order.state]}: ${captured} taken, ${refunded} given back`);
    }
    const settled = order.capture === Automation.MANUAL ? order.state === COMPLETED : funded.has(reached(order));
    if (settled && captured !== cents(order.total)) {
      problems.push(`${order.name} is ${Order_State[order.state]}: ${captured} of ${cents(order.total)} taken`);
    }
    const due = cents(order.total) - cents(order.cancelledTotal);
    if (order.state === COMPLETED && cents(order.cancelledTotal) > 0n && captured - refunded !== due) {
      problems.push(`${order.name} has cancelled units: ${captured - refunded} kept of ${due} due`);
    }
    return problems;
  });
}

function auditShipments(shipments: readonly Shipment[], orders: readonly Order[]): string[] {
  const live = shipments.filter(({ state, closeTime }) => state !== Shipment_State.CANCELLED && !closeTime);
  const byOrder = Map.groupBy(live, orderOf);
  return orders.flatMap((order) => {
    const own = byOrder.get(order.name) ?? [];
    const units = (lineId: string, states?: readonly Shipment_State[]) =>
      own
        .filter(({ state }) => states?.includes(state) ?? true)
        .flatMap(({ lines }) => lines)
        .reduce((sum, line) => sum + (line.lineItemId === lineId ? line.quantity : 0), 0);
    return order.lineItems.flatMap(({ id, quantity, quantityCancelled, quantityShipped, quantityDelivered }) => {
      const [shipped, delivered] = [units(id), units(id, [Shipment_State.DELIVERED])];
      const most = quantity - quantityCancelled;
      return shipped === quantityShipped && delivered === quantityDelivered && shipped <= most
        ? []
        : [
            `${order.name}#${id}: ${shipped}/${delivered} shipped/delivered, but the order says ${quantityShipped}/${quantityDelivered}`,
          ];
    });
  });
}

async function auditTimeline(docket: Docket, order: Order): Promise<string[]> {
  const events = await Array.fromAsync(docket.listOrderEvents({ parent: order.name, pageSize: 1000 }));
  const gap = events.findIndex(({ sequence }, i) => sequence !== BigInt(i + 1));
  const problems =
    gap < 0 ? [] : [`${order.name}: entry ${gap + 1} of its timeline has number ${events[gap]?.sequence}`];
  if (events.at(-1)?.state !== order.state) {
    problems.push(`${order.name}: its timeline does not end in ${Order_State[order.state]}`);
  }
  if (order.state === NEEDS_ATTENTION && order.attentionMessage === "") {
    problems.push(`${order.name} needs attention and does not say why`);
  }
  return problems;
}
