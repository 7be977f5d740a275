import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Address as AddressMessage,
  AddressSchema,
  Automation,
  CancelReason,
  type Customer as CustomerMessage,
  CustomerSchema,
  LineItemSchema,
  Order_State,
  type OrderEvent,
  OrderEventSchema,
  type Order as OrderMessage,
  OrderSchema,
  PaymentActionSchema,
  PaymentState,
} from "../../gen/docket/order/v1/order_pb.js";
import type { Money } from "../../gen/google/type/money_pb.js";
import { etagOf } from "../runtime/api/etag.ts";
import { parseName } from "../runtime/api/resource-name.ts";
import { isId } from "../runtime/values/ids.ts";
import { toMoney } from "../runtime/values/money.ts";
import {
  type Address,
  type Customer,
  type Order,
  type OrderLine,
  orderName,
  type TimelineEntry,
} from "./domain/order.ts";
import { orderNotFound } from "./errors.ts";

/**
 * Returns the id in `orders/{order}`.
 *
 * @throws ConnectError NOT_FOUND for a malformed name
 */
export function orderIdOf(name: string): string {
  const id = parseName("orders/{order}", name)?.order;
  if (id === undefined || !isId(id)) {
    throw orderNotFound(name);
  }
  return id;
}

/** Converts an order to its API and event message. */
export function toOrderMessage(order: Order): OrderMessage {
  const money = (minor: bigint) => toMoney({ currency: order.currency, minor });
  return create(OrderSchema, {
    name: orderName(order),
    externalId: order.externalId,
    state: Order_State[order.state],
    paymentState: PaymentState[order.paymentState],
    customer: create(CustomerSchema, order.customer),
    shippingAddress: create(AddressSchema, {
      ...order.shippingAddress,
      addressLines: [...order.shippingAddress.addressLines],
    }),
    lineItems: order.lines.map((line) => toLineMessage(line, money)),
    currencyCode: order.currency,
    shippingFee: money(order.shippingFee),
    subtotal: money(order.subtotal),
    discountTotal: money(order.discountTotal),
    total: money(order.total),
    capture: Automation[order.capture],
    fulfillment: Automation[order.fulfillment],
    paymentProvider: order.paymentProvider,
    carrier: order.carrier,
    labels: { ...order.labels },
    note: order.note,
    ...(order.paymentAction && { paymentAction: create(PaymentActionSchema, order.paymentAction) }),
    cancelReason: order.cancelReason ? CancelReason[order.cancelReason] : CancelReason.CANCEL_REASON_UNSPECIFIED,
    attentionMessage: order.attentionMessage,
    heldState: order.state === "ON_HOLD" && order.resume ? Order_State[order.resume] : Order_State.STATE_UNSPECIFIED,
    paymentDeadline: timestampFromMs(order.paymentDeadlineAt),
    createTime: timestampFromMs(order.createdAt),
    updateTime: timestampFromMs(order.updatedAt),
    etag: etagOf(order.version),
    cancelledTotal: money(order.cancelledTotal),
    ...(order.anonymizedAt !== undefined && { anonymizeTime: timestampFromMs(order.anonymizedAt) }),
  });
}

function toLineMessage(line: OrderLine, money: (minor: bigint) => Money) {
  return create(LineItemSchema, {
    id: line.id,
    sku: line.sku,
    quantity: line.quantity,
    title: line.title,
    unitPrice: money(line.unitPrice),
    discount: money(line.discount),
    discountRate: line.discountRate,
    total: money(line.total),
    quantityShipped: line.quantityShipped,
    quantityDelivered: line.quantityDelivered,
    quantityCancelled: line.quantityCancelled,
  });
}

/** Converts a timeline entry to its API message. */
export function toEventMessage(orderId: string, entry: TimelineEntry): OrderEvent {
  return create(OrderEventSchema, {
    name: `${orderName(orderId)}/events/${entry.sequence}`,
    sequence: BigInt(entry.sequence),
    type: entry.type,
    message: entry.message,
    state: Order_State[entry.state],
    metadata: { ...entry.metadata },
    actor: entry.actor,
    createTime: timestampFromMs(entry.createdAt),
  });
}

/** Converts a customer message to its stored form. */
export function toCustomer(customer: CustomerMessage | undefined): Customer {
  const { id = "", displayName = "", email = "", phone = "" } = customer ?? {};
  return { id, displayName, email, phone };
}

/** Converts an address message to its stored form. */
export function toAddress(address: AddressMessage | undefined): Address {
  return {
    recipient: address?.recipient ?? "",
    addressLines: [...(address?.addressLines ?? [])],
    locality: address?.locality ?? "",
    administrativeArea: address?.administrativeArea ?? "",
    postalCode: address?.postalCode ?? "",
    regionCode: address?.regionCode ?? "",
  };
}
