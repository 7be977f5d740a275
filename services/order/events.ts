import { clearField, create } from "@bufbuild/protobuf";
import {
  OrderAnonymizedSchema,
  OrderAwaitingPaymentSchema,
  OrderCancelledSchema,
  OrderCancellingSchema,
  OrderCompletedSchema,
  OrderConfirmedSchema,
  OrderExpiredSchema,
  OrderFulfillingSchema,
  OrderHeldSchema,
  OrderLinesCancelledSchema,
  OrderNeedsAttentionSchema,
  OrderPlacedSchema,
  OrderReleasedSchema,
  OrderUpdatedSchema,
} from "../../gen/docket/order/v1/order_events_pb.js";
import { type Order as OrderMessage, OrderSchema } from "../../gen/docket/order/v1/order_pb.js";
import { clearPersonal } from "../runtime/api/personal-fields.ts";
import { type OutboxEvent, outboxEvent } from "../runtime/outbox/outbox.ts";
import type { Change, OrderFact } from "./domain/changes.ts";
import { orderName } from "./domain/order.ts";
import { toOrderMessage } from "./messages.ts";

const schemas = {
  PLACED: OrderPlacedSchema,
  AWAITING_PAYMENT: OrderAwaitingPaymentSchema,
  CONFIRMED: OrderConfirmedSchema,
  FULFILLING: OrderFulfillingSchema,
  COMPLETED: OrderCompletedSchema,
  UPDATED: OrderUpdatedSchema,
  LINES_CANCELLED: OrderLinesCancelledSchema,
  HELD: OrderHeldSchema,
  RELEASED: OrderReleasedSchema,
  CANCELLING: OrderCancellingSchema,
  CANCELLED: OrderCancelledSchema,
  EXPIRED: OrderExpiredSchema,
  NEEDS_ATTENTION: OrderNeedsAttentionSchema,
  ANONYMIZED: OrderAnonymizedSchema,
} as const satisfies Record<OrderFact, unknown>;

/** Converts an order to its event message: without personal data, and without the secrets that open its payment. */
export function publicOrder(order: OrderMessage): OrderMessage {
  clearPersonal(OrderSchema, order);
  clearField(order, OrderSchema.field.paymentAction);
  return order;
}

/** Creates the event of a change: the order after it, without personal data. The aggregate is the order. */
export function orderEvent({ order, fact }: Change): OutboxEvent {
  const schema = schemas[fact];
  return outboxEvent(schema, create(schema, { order: publicOrder(toOrderMessage(order)) }), {
    tenant: order.tenant,
    aggregate: orderName(order),
  });
}
