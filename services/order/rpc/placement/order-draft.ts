import {
  Automation as AutomationMessage,
  type Order as OrderMessage,
} from "../../../../gen/docket/order/v1/order_pb.js";
import type { Money } from "../../../../gen/google/type/money_pb.js";
import { unknownName } from "../../../runtime/api/known-names.ts";
import { exponentOf, parseMoney } from "../../../runtime/values/money.ts";
import type { Offers } from "../../config.ts";
import type { Address, Automation, Customer } from "../../domain/order.ts";
import type { Violation, WantedLine, WantedOrder } from "../../domain/pricing.ts";
import { localityViolations, regionViolations } from "../../domain/region.ts";
import { toAddress, toCustomer } from "../../messages.ts";

/** A validated, unpriced order request. */
export interface OrderDraft extends WantedOrder {
  readonly externalId: string;
  readonly customer: Customer;
  readonly shippingAddress: Address;
  readonly capture: Automation;
  readonly fulfillment: Automation;
  readonly paymentProvider: string;
  readonly paymentToken: string;
  readonly carrier: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly note: string;
}

/**
 * Takes the fields that a caller may set, and ignores output-only ones. The message has passed the rules of the proto;
 * further violations (amounts, currencies, regions, unavailable providers and carriers) are returned with paths that
 * begin at the order.
 */
export function readDraft(
  order: OrderMessage,
  { paymentProviders, carriers }: Offers,
): { draft: OrderDraft; violations: Violation[] } {
  const violations: Violation[] = [
    ...unknownName("payment_provider", "payment provider", order.paymentProvider, paymentProviders),
    ...unknownName("carrier", "carrier", order.carrier, carriers),
    ...regionViolations(order.shippingAddress?.regionCode ?? ""),
    ...localityViolations(order.shippingAddress?.locality ?? "", order.shippingAddress?.regionCode ?? ""),
  ];
  const currency = order.currencyCode;
  if (exponentOf(currency) === undefined) {
    violations.push({ field: "currency_code", description: `${currency} is not an ISO 4217 currency` });
  }
  const amount = (money: Money | undefined, field: string): bigint | undefined => {
    if (money === undefined || exponentOf(currency) === undefined) {
      return undefined;
    }
    if (money.currencyCode !== currency) {
      violations.push({ field: `${field}.currency_code`, description: `must be the order's, ${currency}` });
      return undefined;
    }
    const parsed = parseMoney(money);
    if (parsed === undefined) {
      violations.push({ field, description: `is not an amount of ${currency}` });
    }
    return parsed?.minor;
  };
  const lines = order.lineItems.map(
    (line, index): WantedLine => ({
      sku: line.sku,
      quantity: line.quantity,
      unitPrice: amount(line.unitPrice, `line_items[${index}].unit_price`),
      discount: amount(line.discount, `line_items[${index}].discount`),
      discountRate: line.discountRate,
    }),
  );
  const draft: OrderDraft = {
    currency,
    lines,
    shippingFee: amount(order.shippingFee, "shipping_fee"),
    externalId: order.externalId,
    customer: toCustomer(order.customer),
    shippingAddress: toAddress(order.shippingAddress),
    capture: toAutomation(order.capture),
    fulfillment: toAutomation(order.fulfillment),
    paymentProvider: order.paymentProvider,
    paymentToken: order.paymentToken,
    carrier: order.carrier,
    labels: { ...order.labels },
    note: order.note,
  };
  return { draft, violations };
}

/** Unknown enum numbers never get here: the rules of the proto reject them. */
function toAutomation(automation: AutomationMessage): Automation {
  return automation === AutomationMessage.MANUAL ? "MANUAL" : "AUTOMATIC";
}
