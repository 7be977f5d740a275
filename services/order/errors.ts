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

/** The reasons with which the order service refuses. Programs may branch on them. */

export function orderNotFound(name: string): ConnectError {
  return notFound("docket.dev/Order", name);
}

/** No order of the tenant has the caller's own number. */
export function externalIdNotFound(externalId: string): ConnectError {
  return notFound("docket.dev/Order", `the order with the external ID ${JSON.stringify(externalId)}`);
}

/** What is wrong with an order; `prefix` is where the order stands in the request: `order`, `requests[3].order`. */
export function orderInvalid(violations: readonly Violation[], prefix: string): ConnectError {
  return invalidArgument(under(prefix, violations));
}

/** Violations with paths that begin at the request instead of the order. */
export function under(prefix: string, violations: readonly Violation[]): FieldViolation[] {
  return violations.map(({ field, description }) => ({ field: `${prefix}.${field}`, description }));
}

/** The caller's own number belongs to another order. */
export function externalIdTaken(existing: Order): ConnectError {
  return alreadyExists(
    "EXTERNAL_ID_TAKEN",
    `${orderName(existing)} has the external ID ${JSON.stringify(existing.externalId)}`,
    { order: orderName(existing), external_id: existing.externalId },
  );
}

/** What people can do to an order, by the triggers behind it. */
const methods: Partial<Record<OrderTrigger, string>> = {
  HOLD: "HoldOrder",
  RELEASE: "ReleaseOrder",
  CANCEL: "CancelOrder",
};

/** The order's state does not allow what was asked. */
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

/** The order's money is not there, or has gone back. `allowed` names what leads on. */
export function orderNotFunded(order: Order): ConnectError {
  const description = `the order's payment is ${order.paymentState}; it must cover the order's total. Cancel the order`;
  return failedPrecondition(
    "ORDER_NOT_FUNDED",
    `${orderName(order)}: ${description}`,
    [{ type: "ORDER_NOT_FUNDED", subject: orderName(order), description }],
    { order: orderName(order), payment_state: order.paymentState, allowed: "CancelOrder" },
  );
}

/** A shipment is with the carrier already. `reason` and text are the logistics service's own. */
export function shipmentUnderWay(order: { readonly id: string }, message: string): ConnectError {
  return failedPrecondition(
    "SHIPMENT_UNDER_WAY",
    `the order cannot be cancelled: ${message}`,
    [{ type: "SHIPMENT_UNDER_WAY", subject: orderName(order), description: message }],
    { order: orderName(order) },
  );
}

/** Customer and address stand on a shipment's label. */
export function shipmentExists(order: { readonly id: string }, shipment: string): ConnectError {
  const description = `${shipment} carries them; cancel the shipment first`;
  return failedPrecondition(
    "SHIPMENT_EXISTS",
    `customer and shipping address cannot be changed: ${description}`,
    [{ type: "SHIPMENT_EXISTS", subject: orderName(order), description }],
    { order: orderName(order), shipment },
  );
}

/** The order's personal data was erased, and is not to come back. */
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
    description: `line ${lineId}: wanted ${wanted}, can be cancelled ${left}`,
  }));
  const message = `more than can be cancelled: ${violations.map(({ description }) => description).join("; ")}`;
  return failedPrecondition("QUANTITY_EXCEEDED", message, violations, { order: orderName(order) });
}

/** No unit of the order would be left. */
export function nothingLeft(order: { readonly id: string }): ConnectError {
  const description = "no unit would be left; cancel the order with CancelOrder";
  return failedPrecondition(
    "NOTHING_LEFT",
    `${orderName(order)}: ${description}`,
    [{ type: "QUANTITY", subject: orderName(order), description }],
    { order: orderName(order) },
  );
}

/** An earlier CancelOrderLines has not given everything back yet. */
export function linesBusy(order: { readonly id: string }): ConnectError {
  const name = orderName(order);
  return aborted("LINES_BEING_CANCELLED", `what ${name} cancelled last is not given back yet; repeat the request`, {
    retryAfterMs: 500,
    metadata: { order: name },
  });
}

/** The stock of a waiting caller's order could not be held. One violation per SKU; the metadata tell of the first. */
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

/** The payment of a waiting caller's order was declined. `reason` is in the provider's words. */
export function paymentFailed(order: Order, reason = ""): ConnectError {
  const description = reason === "" ? "the payment was declined" : `the payment was declined: ${reason}`;
  return failedPrecondition(
    "PAYMENT_FAILED",
    `${description}; the order is cancelled`,
    [{ type: "PAYMENT_FAILED", subject: orderName(order), description }],
    { order: orderName(order) },
  );
}

/** The feed is no longer kept from where the token stands. */
export function resumeTokenExpired(): ConnectError {
  return failedPrecondition(
    "RESUME_TOKEN_EXPIRED",
    "changes since this resume token are no longer kept; list the orders and watch from now on",
    [{ type: "RESUME_TOKEN_EXPIRED", subject: "resume_token", description: "too old" }],
  );
}

/** The saga is worked on or stands where the command is not possible. */
export function wrongSagaState(name: string, status: string): ConnectError {
  const description = `the saga is ${status}`;
  return failedPrecondition(
    "SAGA_STATE",
    `not possible: ${description}`,
    [{ type: "SAGA_STATE", subject: name, description }],
    { saga: name, state: status },
  );
}

/** Another request changed the order between two steps of this one. */
export function lostRace(order: { readonly id: string }): ConnectError {
  return aborted("ORDER_CHANGED", `${orderName(order)} was changed at the same time; repeat the request`, {
    retryAfterMs: 100,
    metadata: { order: orderName(order) },
  });
}
