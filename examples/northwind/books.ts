import { Order_State } from "../../gen/docket/order/v1/order_pb.js";
import type { Money } from "../../gen/google/type/money_pb.js";
import type { Docket } from "../../web-client/sdk/docket.ts";
import { northwindOrders } from "./messages.ts";

/** Totals of Northwind's orders. Amounts are in cents. */
export interface Totals {
  orders: number;
  lines: number;
  units: number;
  goods: bigint;
  afterDiscount: bigint;
  freight: bigint;
  completed: number;
  confirmed: number;
}

/** Whether both totals are equal. */
export function same(a: Totals, b: Totals): boolean {
  return (Object.keys(b) as (keyof Totals)[]).every((key) => a[key] === b[key]);
}

/** Totals of Northwind's orders, and the discrepancies in the books. */
export interface Books {
  readonly totals: Totals;
  /** One line per discrepancy between ledgers and orders; empty if the books balance. */
  readonly disagreements: readonly string[];
}

/** Reads and sums every Northwind order, every payment, and every stock movement of the SKUs. */
export async function readBooks(docket: Docket, skus: ReadonlySet<string>): Promise<Books> {
  const totals: Totals = {
    orders: 0,
    lines: 0,
    units: 0,
    goods: 0n,
    afterDiscount: 0n,
    freight: 0n,
    completed: 0,
    confirmed: 0,
  };
  const disagreements: string[] = [];
  const paid = await paidByOrder(docket);
  const reserved = new Map<string, bigint>();
  const shipped = new Map<string, bigint>();

  for await (const order of docket.listOrders({ filter: northwindOrders, pageSize: 500 })) {
    totals.orders += 1;
    totals.lines += order.lineItems.length;
    totals.goods += cents(order.subtotal);
    totals.afterDiscount += cents(order.subtotal) - cents(order.discountTotal);
    totals.freight += cents(order.shippingFee);
    totals.completed += order.state === Order_State.COMPLETED ? 1 : 0;
    totals.confirmed += order.state === Order_State.CONFIRMED ? 1 : 0;
    for (const { sku, quantity, quantityDelivered } of order.lineItems) {
      totals.units += quantity;
      add(shipped, sku, BigInt(quantityDelivered));
      add(reserved, sku, BigInt(quantity - quantityDelivered));
    }
    const money = paid.get(order.name) ?? 0n;
    if (money !== cents(order.total)) {
      disagreements.push(`${order.externalId}: ${money} cents were taken for ${cents(order.total)}`);
    }
  }
  disagreements.push(...(await checkStock(docket, skus, reserved, shipped)));
  return { totals, disagreements };
}

/** Captured minus refunded amounts, by order. */
async function paidByOrder(docket: Docket): Promise<Map<string, bigint>> {
  const paid = new Map<string, bigint>();
  for await (const payment of docket.listPayments({ parent: "orders/-", pageSize: 500 })) {
    const order = payment.name.slice(0, payment.name.indexOf("/payments/"));
    add(paid, order, cents(payment.capturedAmount) - cents(payment.refundedAmount));
  }
  return paid;
}

/**
 * Checks that the stock ledger of each item adds up to its stock, and that reserved and consumed units match the
 * orders.
 */
async function checkStock(
  docket: Docket,
  skus: ReadonlySet<string>,
  reserved: ReadonlyMap<string, bigint>,
  shipped: ReadonlyMap<string, bigint>,
): Promise<string[]> {
  const disagreements: string[] = [];
  for await (const item of docket.listItems({ pageSize: 500 })) {
    if (!skus.has(item.sku)) {
      continue;
    }
    const sum = { onHand: 0n, reserved: 0n, gone: 0n };
    let pageToken = "";
    do {
      const page = await docket.items.listStockMovements({ parent: item.name, pageSize: 1000, pageToken });
      for (const { onHandDelta, reservedDelta } of page.movements) {
        sum.onHand += onHandDelta;
        sum.reserved += reservedDelta;
        sum.gone -= onHandDelta < 0n ? onHandDelta : 0n;
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    const expectations = [
      ["on hand", sum.onHand, item.stockOnHand],
      ["reserved", sum.reserved, item.stockReserved],
      ["reserved by orders", reserved.get(item.sku) ?? 0n, item.stockReserved],
      ["shipped", shipped.get(item.sku) ?? 0n, sum.gone],
    ] as const;
    for (const [what, expected, actual] of expectations) {
      if (expected !== actual) {
        disagreements.push(`${item.sku}: ${what} ${actual}, but the ledger says ${expected}`);
      }
    }
  }
  return disagreements;
}

function cents(amount: Money | undefined): bigint {
  return amount === undefined ? 0n : amount.units * 100n + BigInt(amount.nanos / 10_000_000);
}

function add(sums: Map<string, bigint>, key: string, amount: bigint): void {
  sums.set(key, (sums.get(key) ?? 0n) + amount);
}
