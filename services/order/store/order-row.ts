import type { Selectable } from "kysely";
import type { OrderEventsTable, OrderLinesTable, OrdersTable } from "../db/schema.ts";
import type {
  Address,
  Automation,
  CancelReason,
  Customer,
  Order,
  OrderLine,
  PaymentAction,
  Shortage,
  TimelineEntry,
} from "../domain/order.ts";
import { type OrderState, orderStates } from "../domain/order-state.ts";
import { type PaymentState, paymentStates } from "../domain/payment-state.ts";

/** A row of `orders`, without the generated column. */
export type OrderRow = Omit<Selectable<OrdersTable>, "customer_email">;
export type OrderLineRow = Selectable<OrderLinesTable>;

/** Converts an order to its row; its lines have rows of their own. */
export function toOrderRow(order: Order): OrderRow {
  const { id: _, ...customer } = order.customer;
  return {
    tenant_id: order.tenant,
    id: order.id,
    external_id: order.externalId || null,
    state: order.state,
    resume_state: order.resume ?? null,
    payment_state: order.paymentState,
    customer_id: order.customer.id,
    customer: JSON.stringify(customer),
    shipping_address: JSON.stringify(order.shippingAddress),
    currency: order.currency,
    shipping_fee: order.shippingFee,
    subtotal: order.subtotal,
    discount_total: order.discountTotal,
    total: order.total,
    authorized: order.authorized,
    captured: order.captured,
    refunded: order.refunded,
    capture: order.capture,
    fulfillment: order.fulfillment,
    payment_provider: order.paymentProvider,
    carrier: order.carrier,
    labels: JSON.stringify(order.labels),
    note: order.note,
    payment_action: order.paymentAction ? JSON.stringify(order.paymentAction) : null,
    cancel_reason: order.cancelReason ?? null,
    shortages: order.shortages.length > 0 ? JSON.stringify(order.shortages) : null,
    attention_message: order.attentionMessage,
    payment_deadline_at: order.paymentDeadlineAt,
    held_at: order.heldAt ?? null,
    saga_id: order.sagaId,
    late_saga_id: order.lateSagaId ?? null,
    lines_saga_id: order.linesSagaId ?? null,
    cancelled_total: order.cancelledTotal,
    shipment_announcements: order.shipmentAnnouncements,
    reservation_attempt: order.reservationAttempt,
    anonymized_at: order.anonymizedAt ?? null,
    created_at: order.createdAt,
    updated_at: order.updatedAt,
    version: order.version,
  };
}

export function toLineRow(order: Pick<Order, "tenant" | "id">, line: OrderLine): OrderLineRow {
  return {
    tenant_id: order.tenant,
    order_id: order.id,
    line_number: Number(line.id),
    sku: line.sku,
    title: line.title,
    quantity: line.quantity,
    unit_price: line.unitPrice,
    discount: line.discount,
    discount_rate: line.discountRate,
    total: line.total,
    quantity_shipped: line.quantityShipped,
    quantity_delivered: line.quantityDelivered,
    quantity_cancelled: line.quantityCancelled,
  };
}

export function toEventRow(order: Pick<Order, "tenant" | "id">, entry: TimelineEntry): Selectable<OrderEventsTable> {
  return {
    tenant_id: order.tenant,
    order_id: order.id,
    sequence: entry.sequence,
    type: entry.type,
    message: entry.message,
    state: entry.state,
    metadata: Object.keys(entry.metadata).length > 0 ? JSON.stringify(entry.metadata) : null,
    actor: entry.actor,
    created_at: entry.createdAt,
  };
}

export function fromOrderRow(row: OrderRow, lines: readonly OrderLineRow[]): Order {
  const customer = JSON.parse(row.customer) as Omit<Customer, "id">;
  return {
    tenant: row.tenant_id,
    id: row.id,
    externalId: row.external_id ?? "",
    state: toOrderState(row.state),
    resume: row.resume_state === null ? undefined : toOrderState(row.resume_state),
    paymentState: toPaymentState(row.payment_state),
    customer: { id: row.customer_id, ...customer },
    shippingAddress: JSON.parse(row.shipping_address) as Address,
    currency: row.currency,
    lines: lines.map(fromLineRow),
    shippingFee: BigInt(row.shipping_fee),
    subtotal: BigInt(row.subtotal),
    discountTotal: BigInt(row.discount_total),
    total: BigInt(row.total),
    authorized: BigInt(row.authorized),
    captured: BigInt(row.captured),
    refunded: BigInt(row.refunded),
    capture: row.capture as Automation,
    fulfillment: row.fulfillment as Automation,
    paymentProvider: row.payment_provider,
    carrier: row.carrier,
    labels: JSON.parse(row.labels) as Record<string, string>,
    note: row.note,
    paymentAction: row.payment_action === null ? undefined : (JSON.parse(row.payment_action) as PaymentAction),
    cancelReason: row.cancel_reason === null ? undefined : (row.cancel_reason as CancelReason),
    shortages: row.shortages === null ? [] : (JSON.parse(row.shortages) as Shortage[]),
    attentionMessage: row.attention_message,
    paymentDeadlineAt: row.payment_deadline_at,
    heldAt: row.held_at ?? undefined,
    sagaId: row.saga_id,
    lateSagaId: row.late_saga_id ?? undefined,
    linesSagaId: row.lines_saga_id ?? undefined,
    cancelledTotal: BigInt(row.cancelled_total),
    shipmentAnnouncements: row.shipment_announcements,
    reservationAttempt: row.reservation_attempt,
    anonymizedAt: row.anonymized_at ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    version: row.version,
  };
}

function fromLineRow(row: OrderLineRow): OrderLine {
  return {
    id: String(row.line_number),
    sku: row.sku,
    title: row.title,
    quantity: row.quantity,
    unitPrice: BigInt(row.unit_price),
    discount: BigInt(row.discount),
    discountRate: row.discount_rate,
    total: BigInt(row.total),
    quantityShipped: row.quantity_shipped,
    quantityDelivered: row.quantity_delivered,
    quantityCancelled: row.quantity_cancelled,
  };
}

export function fromEventRow(row: Selectable<OrderEventsTable>): TimelineEntry {
  return {
    sequence: row.sequence,
    type: row.type,
    message: row.message,
    state: toOrderState(row.state),
    metadata: row.metadata === null ? {} : (JSON.parse(row.metadata) as Record<string, string>),
    actor: row.actor,
    createdAt: row.created_at,
  };
}

/** Rejects rows written by a newer version of the service rather than guessing. */
function toOrderState(text: string): OrderState {
  const state = orderStates.find((known) => known === text);
  if (state === undefined) {
    throw new Error(`unknown order state ${text}`);
  }
  return state;
}

function toPaymentState(text: string): PaymentState {
  const state = paymentStates.find((known) => known === text);
  if (state === undefined) {
    throw new Error(`unknown payment state ${text}`);
  }
  return state;
}
