import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Order, Order_State, PaymentState } from "../../../gen/docket/order/v1/order_pb.js";
import type { Money } from "../../../gen/google/type/money_pb.js";
import { formatMoney } from "../money.ts";
import type { Columns } from "./output.ts";

/** Formats an amount with its currency, `12.34 USD`. */
export function moneyText(amount: Money | undefined): string {
  return amount === undefined ? "" : `${formatMoney(amount)} ${amount.currencyCode}`;
}

/** Columns of a list of orders. */
export const orderColumns: Columns<Order> = {
  NAME: (order) => order.name,
  "EXTERNAL ID": (order) => order.externalId,
  STATE: (order) => Order_State[order.state] ?? String(order.state),
  PAYMENT: (order) => PaymentState[order.paymentState] ?? String(order.paymentState),
  TOTAL: (order) => moneyText(order.total),
  CUSTOMER: (order) => order.customer?.id ?? "",
  CREATED: (order) => (order.createTime ? timestampDate(order.createTime).toISOString() : ""),
};

/** Formats one order as human-readable text. */
export function orderText(order: Order): string {
  const facts = Object.entries(orderColumns).map(
    ([heading, cell]) => `${heading.toLowerCase().padEnd(12)} ${cell(order)}`,
  );
  const lines = order.lineItems.map(
    (line) => `  ${line.quantity} × ${line.sku}  ${line.title}  ${moneyText(line.total)}`,
  );
  const { redirectUrl } = order.paymentAction ?? {};
  return [...facts, "lines", ...lines, ...(redirectUrl ? [`to pay, open ${redirectUrl}`] : [])].join("\n");
}
