import type { ConnectError } from "@connectrpc/connect";
import {
  aborted,
  alreadyExists,
  type FieldViolation,
  failedPrecondition,
  invalidArgument,
  notFound,
} from "../runtime/errors.ts";
import type { Excess } from "./domain/cancel-lines.ts";
import { type Order, orderName, type Shortage } from "./domain/order.ts";
import { allowedTriggers, type OrderStatus, type OrderTrigger } from "./domain/order-state.ts";
import type { Violation } from "./domain/pricing.ts";

/** Error reasons of the order service. Machine-readable. */

export function orderNotFound(name: string): ConnectError {
  return notFound("docket.dev/Order", name);
}

/** No order of the tenant has this external_id. */
export function externalIdNotFound(externalId: string): ConnectError {
  return notFound("docket.dev/Order", `the order with the external ID ${JSON.stringify(externalId)}`);
}

/** Field violations of an order; `prefix` is the order's path in the request: `order`, `requests[3].order`. */
export function orderInvalid(violations: readonly Violation[], prefix: string): ConnectError {
  return invalidArgument(under(prefix, violations));
}

/** Violations with paths that begin at the request instead of the order. */
export function under(prefix: string, violations: readonly Violation[]): FieldViolation[] {
  return violations.map(({ field, description }) => ({ field: `${prefix}.${field}`, description }));
}

/** The external_id belongs to another order. */
export function externalIdTaken(existing: Order): ConnectError {
  return alreadyExists(
    "EXTERNAL_ID_TAKEN",
    `${orderName(existing)} has the external ID ${JSON.stringify(existing.externalId)}`,
    { order: orderName(existing), external_id: existing.externalId },
  );
}

/** Names of operations on an order, by trigger. */
const methods: Partial<Record<OrderTrigger, string>> = {
  HOLD: "HoldOrder",
  RELEASE: "ReleaseOrder",
  CANCEL: "CancelOrder",
};

/** The order's state does not allow the request. */
export function wrongState(order: OrderStatus & { readonly id: string }, wanted: string): ConnectError {
  const allowed = allowedTriggers(order).flatMap((trigger) => methods[trigger] ?? []);
  const description = `the order is ${order.state}; allowed: ${allowed.length > 0 ? allowed.join(", ") : "nothing"}`;
  return failedPrecondition(
    "ORDER_STATE",
    `${wanted} is not possible: ${description}`,
    [{ type: "ORDER_STATE", subject: orderName(order), description }],
    { order: orderName(order), state: order.state, allowed: allowed.join(",") },
  );
}

/** The order is not funded, or was refunded. `allowed` names the possible operations. */
export function orderNotFunded(order: Order): ConnectError {
  const description = `the order's payment is ${order.paymentState}; it must cover the order's total. Cancel the order`;
  return failedPrecondition(
    "ORDER_NOT_FUNDED",
    `${orderName(order)}: ${description}`,
    [{ type: "ORDER_NOT_FUNDED", subject: orderName(order), description }],
    { order: orderName(order), payment_state: order.paymentState, allowed: "CancelOrder" },
  );
}

/** A shipment is already with the carrier. `reason` and text come from the logistics service. */
export function shipmentUnderWay(order: { readonly id: string }, message: string): ConnectError {
  return failedPrecondition(
    "SHIPMENT_UNDER_WAY",
    `the order cannot be cancelled: ${message}`,
    [{ type: "SHIPMENT_UNDER_WAY", subject: orderName(order), description: message }],
    { order: orderName(order) },
  );
}

/** Customer and address are printed on a shipment's label. */
export function shipmentExists(order: { readonly id: string }, shipment: string): ConnectError {
  const description = `${shipment} has them on its label; cancel the shipment first`;
  return failedPrecondition(
    "SHIPMENT_EXISTS",
    `customer and shipping address cannot be changed: ${description}`,
    [{ type: "SHIPMENT_EXISTS", subject: orderName(order), description }],
    { order: orderName(order), shipment },
  );
}

/** The order's personal data was erased and cannot be set again. */
export function orderAnonymized(order: { readonly id: string }): ConnectError {
  const description = "its personal data was erased with AnonymizeCustomer; it can no longer be changed";
  return failedPrecondition(
    "ORDER_ANONYMIZED",
    `${orderName(order)}: ${description}`,
    [{ type: "ORDER_ANONYMIZED", subject: orderName(order), description }],
    { order: orderName(order) },
  );
}

/** More units were to be cancelled than are neither shipped nor cancelled. */
export function tooManyUnits(order: { readonly id: string }, excesses: readonly Excess[]): ConnectError {
  const violations = excesses.map(({ lineId, wanted, left }) => ({
    type: "QUANTITY",
    subject: `${orderName(order)}#${lineId}`,
    description: `line ${lineId}: ${wanted} requested, ${left} can be cancelled`,
  }));
  const message = `more than can be cancelled: ${violations.map(({ description }) => description).join("; ")}`;
  return failedPrecondition("QUANTITY_EXCEEDED", message, violations, { order: orderName(order) });
}

/** The order would have no units left. */
export function nothingLeft(order: { readonly id: string }): ConnectError {
  const description = "no unit would be left; cancel the order with CancelOrder";
  return failedPrecondition(
    "NOTHING_LEFT",
    `${orderName(order)}: ${description}`,
    [{ type: "QUANTITY", subject: orderName(order), description }],
    { order: orderName(order) },
  );
}

/** An earlier CancelOrderLines is still releasing stock and money. */
export function linesBusy(order: { readonly id: string }): ConnectError {
  const name = orderName(order);
  return aborted(
    "LINES_BEING_CANCELLED",
    `the previous cancellation of lines of ${name} is in progress; repeat the request`,
    {
      retryAfterMs: 500,
      metadata: { order: name },
    },
  );
}

/**
 * The stock of a waiting caller's order could not be reserved. One violation per SKU; the metadata describe the first.
 */
export function outOfStock(order: Order): ConnectError {
  const describe = ({ wanted, available }: Shortage) => `wanted ${wanted}, available ${available}`;
  const [first] = order.shortages;
  return failedPrecondition(
    "OUT_OF_STOCK",
    `out of stock: ${order.shortages.map((shortage) => `${shortage.sku} (${describe(shortage)})`).join(", ")}`,
    order.shortages.map((shortage) => ({
      type: "OUT_OF_STOCK",
      subject: `items/${shortage.sku}`,
      description: describe(shortage),
    })),
    { ...first, order: orderName(order) },
  );
}

/** The payment of a waiting caller's order was declined. `reason` is the provider's text. */
export function paymentFailed(order: Order, reason = ""): ConnectError {
  const description = reason === "" ? "the payment was declined" : `the payment was declined: ${reason}`;
  return failedPrecondition(
    "PAYMENT_FAILED",
    `${description}; the order is cancelled`,
    [{ type: "PAYMENT_FAILED", subject: orderName(order), description }],
    { order: orderName(order) },
  );
}

/** The feed has been pruned beyond the token's position. */
export function resumeTokenExpired(): ConnectError {
  return failedPrecondition(
    "RESUME_TOKEN_EXPIRED",
    "changes since this resume token are no longer kept; list the orders and watch from now on",
    [{ type: "RESUME_TOKEN_EXPIRED", subject: "resume_token", description: "too old" }],
  );
}

/** The order's money is still being refunded. */
export function cancellationInProgress(order: { readonly id: string }): ConnectError {
  const name = orderName(order);
  return aborted("CANCELLATION_IN_PROGRESS", `the cancellation of ${name} is in progress; repeat the request`, {
    retryAfterMs: 1_000,
    metadata: { order: name },
  });
}

/** Another request changed the order during this one. */
export function lostRace(order: { readonly id: string }): ConnectError {
  return aborted("ORDER_CHANGED", `${orderName(order)} was changed at the same time; repeat the request`, {
    retryAfterMs: 100,
    metadata: { order: orderName(order) },
  });
}
