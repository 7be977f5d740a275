import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { type CreateShipmentRequest, LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { type LineItem, type Order, Order_State } from "../../../gen/docket/order/v1/order_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { invalidArgument, reasonOf } from "../../runtime/errors.ts";
import { executeOnce } from "../../runtime/idempotency/execute-once.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import { traceFields } from "../../runtime/telemetry/tracing.ts";
import type { LogisticsContext } from "../context.ts";
import { linesToShip, type OrderedLine, sameLines, type WantedLine } from "../domain/lines-to-ship.ts";
import { type Destination, newShipment, type ShippedLine, type StoredShipment, shippedOf } from "../domain/shipment.ts";
import {
  nothingToShip,
  orderChanged,
  orderClosed,
  orderNotShippable,
  shipmentExists,
  tooMany,
  unknownCarrier,
  unknownCarrierService,
  unknownLines,
} from "../errors.ts";
import { orderIdOf, orderName, shipmentName, toShipmentMessage } from "../messages.ts";
import { orderShipping, shipments } from "../store/mappings.ts";
import { readFence, shippingOf } from "../store/order-shipping.ts";
import { closedUnitsOfOrder } from "../store/shipped-units.ts";

/** Maximum attempts of a request whose order changes concurrently. */
const MAX_TRIES = 3;

/**
 * Creates a shipment. It is booked with its carrier after the commit.
 *
 * The shipment is first announced to the order service, which returns the authoritative address and lines. The order's
 * fence is read before that and compared under the lock of the order's row, so a shipment whose order has changed in
 * the meantime is rejected. The remaining units are computed under the same lock, so concurrent shipments never exceed
 * the ordered quantities. With a `shipment_id` the request is idempotent even without a `request_id`.
 */
export function createShipment(ctx: LogisticsContext): ServiceImpl<typeof LogisticsService>["createShipment"] {
  const { db, commands, clients, clock, ids, carriers, defaultCarrier } = ctx;
  const method = LogisticsService.method.createShipment;

  /** Returns the name of the requested carrier. Throws INVALID_ARGUMENT for an unknown carrier or service. */
  const carrierOf = ({ shipment }: CreateShipmentRequest, order: Order): string => {
    const name = shipment?.carrier || order.carrier || defaultCarrier;
    const carrier = carriers.get(name);
    if (carrier === undefined) {
      throw unknownCarrier(name, carriers.keys());
    }
    const service = shipment?.carrierService ?? "";
    if (service !== "" && !carrier.services.includes(service)) {
      throw unknownCarrierService(carrier, service);
    }
    return name;
  };

  const create = async (request: CreateShipmentRequest, call: HandlerContext) => {
    const { tenant } = principalOf(call);
    const orderId = orderIdOf(request.parent);
    const wanted = wantedLines(request);
    const fence = await readFence(db.kysely, { tenant, orderId });
    const closedUnits = await closedUnitsOfOrder(db.kysely, { tenant, orderId });
    const name = orderName(orderId);
    const [announced] = await Promise.allSettled([
      clients.order.for(tenant, call).announceShipment({ name, closedUnits }),
    ]);

    const id = ids.next();
    const key = { tenant, orderId, number: request.shipmentId || id };
    const mutation = { tenant, method, requestId: idempotencyKeyOf(request, call), request, clock };
    return executeOnce(commands, mutation, {
      keys(need) {
        need.one(orderShipping, [tenant, orderId]);
        need.all(shipments, "order", [tenant, orderId]);
      },
      decide(batch) {
        const { fence: currentFence, closedAt } = shippingOf(batch, key);
        const ofOrder = batch.list(shipments, "order", [tenant, orderId]);
        const existing = ofOrder.find(({ number }) => number === key.number);
        if (existing) {
          return toShipmentMessage(sameOrThrow(existing, wanted, request));
        }
        if (announced.status === "rejected") {
          throw announced.reason;
        }
        const order = announced.value;
        const carrier = carrierOf(request, order);
        if (currentFence !== fence) {
          throw orderChanged(orderId);
        }
        if (closedAt !== undefined) {
          throw orderClosed(orderId);
        }
        if (order.state !== Order_State.CONFIRMED && order.state !== Order_State.FULFILLING) {
          throw orderNotShippable(orderId, Order_State[order.state] ?? `${order.state}`);
        }
        const created = newShipment({
          ...key,
          id,
          carrier,
          carrierService: request.shipment?.carrierService ?? "",
          lines: decideLines(orderId, order, shippedOf(ofOrder), wanted),
          destination: destinationOf(order),
          labels: request.shipment?.labels ?? {},
          dueAt: batch.nowMs,
          traceparent: traceFields()["traceparent"],
          createdAt: clock.now().getTime(),
        });
        batch.insert(shipments, created);
        batch.afterCommit(ctx.nudgeShipments);
        return toShipmentMessage(created);
      },
    });
  };

  return async (request, call) => {
    for (let tries = 1; ; tries++) {
      try {
        return await create(request, call);
      } catch (error) {
        if (reasonOf(error) !== "ORDER_CHANGED" || tries >= MAX_TRIES) {
          throw error;
        }
      }
    }
  };
}

function wantedLines({ shipment }: CreateShipmentRequest): WantedLine[] {
  const lines = shipment?.lines ?? [];
  const seen = new Set<string>();
  const repeated = lines.flatMap(({ lineItemId }, i) => {
    const again = seen.has(lineItemId);
    seen.add(lineItemId);
    return again ? [{ field: `shipment.lines[${i}].line_item_id`, description: "repeats a line" }] : [];
  });
  if (repeated.length > 0) {
    throw invalidArgument(repeated);
  }
  return lines.map(({ lineItemId, quantity }) => ({ lineItemId, quantity }));
}

/** Returns the existing shipment of that name. Throws ALREADY_EXISTS if its content differs from the request. */
function sameOrThrow(
  existing: StoredShipment,
  wanted: readonly WantedLine[],
  { shipment }: CreateShipmentRequest,
): StoredShipment {
  const same =
    (wanted.length === 0 || sameLines(existing.lines, wanted)) &&
    (!shipment?.carrier || shipment.carrier === existing.carrier) &&
    (shipment?.carrierService ?? "") === existing.carrierService;
  if (!same) {
    throw shipmentExists(shipmentName(existing));
  }
  return existing;
}

function decideLines(
  orderId: string,
  order: Order,
  shipped: readonly WantedLine[],
  wanted: readonly WantedLine[],
): readonly ShippedLine[] {
  const decision = linesToShip(order.lineItems.map(toOrderedLine), shipped, wanted);
  switch (decision.kind) {
    case "lines":
      return decision.lines;
    case "nothing-left":
      throw nothingToShip(orderId);
    case "unknown":
      throw unknownLines(decision.lineItemIds);
    case "too-many":
      throw tooMany(orderId, decision.excesses);
    default:
      return decision satisfies never;
  }
}

/** Converts an order line, without its cancelled units. */
function toOrderedLine({ id, sku, quantity, quantityCancelled }: LineItem): OrderedLine {
  return { id, sku, quantity: quantity - quantityCancelled };
}

function destinationOf({ shippingAddress: address }: Order): Destination {
  return {
    recipient: address?.recipient ?? "",
    addressLines: address?.addressLines ?? [],
    locality: address?.locality ?? "",
    administrativeArea: address?.administrativeArea ?? "",
    postalCode: address?.postalCode ?? "",
    regionCode: address?.regionCode ?? "",
  };
}
