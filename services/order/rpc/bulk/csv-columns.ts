import { timestampDate } from "@bufbuild/protobuf/wkt";
import { stringify } from "csv-stringify/sync";
import type { Order as OrderMessage } from "../../../../gen/docket/order/v1/order_pb.js";
import { Automation, Order_State, PaymentState } from "../../../../gen/docket/order/v1/order_pb.js";
import type { Money } from "../../../../gen/google/type/money_pb.js";
import { decimalOf } from "../../../runtime/values/amount-text.ts";
import { parseMoney } from "../../../runtime/values/money.ts";
import { toFormulaSafe } from "./formulas.ts";

/**
 * The columns of a CSV file of orders: one row per order line, with the order's own columns repeated on each. Rows of
 * one order are adjacent and share an `external_id`; without one, a `name`; without either, each row is an order.
 *
 * Amounts are plain decimal numbers of `currency_code`. `address_lines` holds the lines separated by line breaks,
 * `labels` a JSON object of strings. `capture` and `fulfillment` are AUTOMATIC (or empty) or MANUAL.
 */
export const orderColumns = [
  "external_id",
  "currency_code",
  "customer_id",
  "customer_display_name",
  "customer_email",
  "customer_phone",
  "recipient",
  "address_lines",
  "locality",
  "administrative_area",
  "postal_code",
  "region_code",
  "shipping_fee",
  "capture",
  "fulfillment",
  "payment_provider",
  "carrier",
  "labels",
  "note",
] as const;

export const lineColumns = ["sku", "quantity", "unit_price", "discount", "discount_rate"] as const;

/** Written by exports and ignored by imports. */
export const outputColumns = [
  "name",
  "state",
  "payment_state",
  "total",
  "create_time",
  "line_id",
  "title",
  "line_total",
] as const;

/** Read by imports and never written. */
export const secretColumns = ["payment_token"] as const;

export const requiredColumns = [
  "currency_code",
  "customer_id",
  "recipient",
  "address_lines",
  "region_code",
  "sku",
  "quantity",
] as const satisfies readonly CsvColumn[];

export type OrderColumn = (typeof orderColumns)[number] | (typeof secretColumns)[number];
export type CsvColumn = OrderColumn | (typeof lineColumns)[number] | (typeof outputColumns)[number];

export const exportedColumns: readonly CsvColumn[] = [...orderColumns, ...lineColumns, ...outputColumns];
export const knownColumns: readonly CsvColumn[] = [...exportedColumns, ...secretColumns];

/** CSV as RFC 4180 defines it. */
export function toCsv(rows: readonly (readonly string[])[]): string {
  return stringify(
    rows.map((row) => [...row]),
    { quoted_match: /[\r\n]/ },
  );
}

/** Formats an order's rows, one per line, in the order of `exportedColumns`. No cell is a formula. */
export function toCsvRows(order: OrderMessage): string[][] {
  const { customer, shippingAddress: address, currencyCode } = order;
  const amount = (money: Money | undefined) => decimalOf(currencyCode, (money && parseMoney(money)?.minor) ?? 0n);
  const own: Partial<Record<CsvColumn, string>> = {
    external_id: order.externalId,
    currency_code: currencyCode,
    customer_id: customer?.id ?? "",
    customer_display_name: customer?.displayName ?? "",
    customer_email: customer?.email ?? "",
    customer_phone: customer?.phone ?? "",
    recipient: address?.recipient ?? "",
    address_lines: address?.addressLines.join("\n") ?? "",
    locality: address?.locality ?? "",
    administrative_area: address?.administrativeArea ?? "",
    postal_code: address?.postalCode ?? "",
    region_code: address?.regionCode ?? "",
    shipping_fee: amount(order.shippingFee),
    capture: Automation[order.capture],
    fulfillment: Automation[order.fulfillment],
    payment_provider: order.paymentProvider,
    carrier: order.carrier,
    labels: labelsText(order.labels),
    note: order.note,
    name: order.name,
    state: Order_State[order.state],
    payment_state: PaymentState[order.paymentState],
    total: amount(order.total),
    create_time: order.createTime ? timestampDate(order.createTime).toISOString() : "",
  };
  return order.lineItems.map((line) => {
    const row: Partial<Record<CsvColumn, string>> = {
      ...own,
      sku: line.sku,
      quantity: String(line.quantity),
      unit_price: amount(line.unitPrice),
      discount: amount(line.discount),
      discount_rate: line.discountRate,
      line_id: line.id,
      title: line.title,
      line_total: amount(line.total),
    };
    return exportedColumns.map((column) => toFormulaSafe(row[column] ?? ""));
  });
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const entries = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? "" : JSON.stringify(Object.fromEntries(entries));
}
