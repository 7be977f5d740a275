import type { ConnectError } from "@connectrpc/connect";
import { unknownName } from "../runtime/api/known-names.ts";
import {
  aborted,
  alreadyExists,
  failedPrecondition,
  invalidArgument,
  notFound,
  type PreconditionViolation,
  unavailable,
} from "../runtime/errors.ts";
import type { Carrier } from "./carriers/carrier.ts";
import type { Excess } from "./domain/lines-to-ship.ts";
import type { Closing, StoredShipment } from "./domain/shipment.ts";
import { orderName, shipmentName } from "./messages.ts";

/** Error reasons of the logistics service. They are part of the API: clients may branch on them. */

export function shipmentNotFound(name: string): ConnectError {
  return notFound("docket.dev/Shipment", name);
}

/** The name is taken by a shipment with other content. */
export function shipmentExists(name: string): ConnectError {
  return alreadyExists("SHIPMENT_EXISTS", `${name} already exists with other contents`, { shipment: name });
}

export function orderNotShippable(orderId: string, state: string): ConnectError {
  const description = `the order is ${state}; it must be CONFIRMED or FULFILLING`;
  return refusal("ORDER_NOT_SHIPPABLE", orderName(orderId), "ORDER_STATE", description, { state });
}

/** The order is cancelled; no further shipments can be created. */
export function orderClosed(orderId: string): ConnectError {
  return refusal("ORDER_CLOSED", orderName(orderId), "ORDER_STATE", "the order is cancelled and cannot be shipped");
}

export function nothingToShip(orderId: string): ConnectError {
  return refusal("NOTHING_TO_SHIP", orderName(orderId), "QUANTITY", "all units are already in shipments");
}

/** One violation per line. */
export function tooMany(orderId: string, excesses: readonly Excess[]): ConnectError {
  const violations: PreconditionViolation[] = excesses.map(({ lineItemId, wanted, left }) => ({
    type: "QUANTITY",
    subject: `${orderName(orderId)}#${lineItemId}`,
    description: `line ${lineItemId}: wanted ${wanted}, left to ship ${left}`,
  }));
  const [first] = excesses;
  const metadata = first && {
    line_item_id: first.lineItemId,
    sku: first.sku,
    wanted: `${first.wanted}`,
    left: `${first.left}`,
  };
  const message = `more than is left to ship: ${violations.map(({ description }) => description).join("; ")}`;
  return failedPrecondition("QUANTITY_EXCEEDED", message, violations, metadata);
}

export function unknownLines(lineItemIds: readonly string[]): ConnectError {
  const unknown = lineItemIds.map((id) => ({
    field: "shipment.lines.line_item_id",
    description: `the order has no line ${JSON.stringify(id)}`,
  }));
  return invalidArgument(unknown);
}

export function unknownCarrier(carrier: string, known: Iterable<string>): ConnectError {
  return invalidArgument(unknownName("shipment.carrier", "carrier", carrier, known));
}

export function unknownCarrierService({ name, services }: Carrier, service: string): ConnectError {
  return invalidArgument(unknownName("shipment.carrier_service", `${name} service`, service, services));
}

/** The carrier has collected the goods, so the shipments can no longer be cancelled. */
export function shipmentUnderWay(shipments: readonly StoredShipment[]): ConnectError {
  const violations = shipments.map((shipment) => ({
    type: "SHIPMENT_STATE",
    subject: shipmentName(shipment),
    description: `the shipment is ${shipment.progress.reported.state}; it can be cancelled until the carrier collects it, and closed (CloseShipment) if it was lost or returned`,
  }));
  const [first] = shipments;
  const metadata = first && { shipment: shipmentName(first), state: first.progress.reported.state };
  const message = violations.map(({ subject, description }) => `${subject}: ${description}`).join("; ");
  return failedPrecondition("SHIPMENT_UNDER_WAY", message, violations, metadata);
}

/** The shipment cannot be closed in its current state. */
export function notClosable(shipment: StoredShipment, why: Exclude<Closing, "possible" | "closed">): ConnectError {
  const { state } = shipment.progress.reported;
  const hints = {
    "closed-otherwise": `it was already closed as ${state}`,
    "not-collected": "the carrier has not collected it; cancel it with CancelShipment",
    delivered: "a delivered shipment cannot be closed",
    cancelled: "its units can be shipped again without closing it",
  } satisfies Record<typeof why, string>;
  const description = `the shipment is ${state}: ${hints[why]}`;
  return refusal("SHIPMENT_NOT_CLOSABLE", shipmentName(shipment), "SHIPMENT_STATE", description, { state });
}

/** A concurrent request changed which units of the order can be shipped. */
export function orderChanged(orderId: string): ConnectError {
  const name = orderName(orderId);
  return aborted("ORDER_CHANGED", `${name} was changed at the same time; repeat the request`, {
    retryAfterMs: 100,
    metadata: { order: name },
  });
}

/** The carrier is not responding. The requested operation is stored and will be carried out; the caller may retry. */
export function carrierUnavailable(carrier: string, cause?: unknown): ConnectError {
  return unavailable("CARRIER_UNAVAILABLE", `the carrier ${carrier} is not responding`, {
    metadata: { carrier },
    cause,
  });
}

function refusal(
  reason: string,
  subject: string,
  type: string,
  description: string,
  metadata: Record<string, string> = {},
): ConnectError {
  return failedPrecondition(reason, `${subject}: ${description}`, [{ type, subject, description }], metadata);
}
