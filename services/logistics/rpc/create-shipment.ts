import type { ServiceImpl } from "@connectrpc/connect";
import { type CreateShipmentRequest, LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { type Order, Order_State } from "../../../gen/docket/order/v1/order_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { afterCommit } from "../../runtime/db/after-commit.ts";
import { idempotent } from "../../runtime/db/idempotency.ts";
import { invalidArgument } from "../../runtime/errors.ts";
import { requestIdOf } from "../../runtime/request-id.ts";
import type { LogisticsContext } from "../context.ts";
import { linesToShip, sameLines, type WantedLine } from "../domain/lines-to-ship.ts";
import type { Destination, ShippedLine, StoredShipment } from "../domain/shipment.ts";
import {
  nothingToShip,
  orderClosed,
  orderNotShippable,
  shipmentExists,
  tooMany,
  unknownCarrier,
  unknownCarrierService,
  unknownLines,
} from "../errors.ts";
import { orderIdOf, orderName, shipmentName, toShipmentMessage } from "../messages.ts";
import { lockOrder } from "../store/order-shipping.ts";
import { findShipment, insertShipment, shippedOfOrder } from "../store/shipments.ts";

/**
 * Creates a shipment, which is booked with its carrier after the commit. What of the order may still be shipped is decided
 * under the lock of the order's row, so that shipments made at once never hold more than was ordered. With a
 * `shipment_id` the request can also be repeated without a `request_id`.
 */
export function createShipment(logistics: LogisticsContext): ServiceImpl<typeof LogisticsService>["createShipment"] {
  const { db, clients, clock, ids, carriers, defaultCarrier } = logistics;
  const method = LogisticsService.method.createShipment;

  /** The name of the carrier that is asked for, where it exists and has the service. */
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

  return async (request, context) => {
    const { tenant } = principalOf(context);
    const orderId = orderIdOf(request.parent);
    const wanted = wantedLines(request);
    const order = await clients.order.for(tenant, context).getOrder({ name: orderName(orderId) });
    const carrier = carrierOf(request, order);
    const carrierService = request.shipment?.carrierService ?? "";

    const call = { tenant, method, requestId: requestIdOf(request, context), request, clock };
    return idempotent(db, call, async (trx) => {
      const { closed } = await lockOrder(trx, db.dialect, { tenant, orderId });
      const id = ids.next();
      const key = { tenant, orderId, number: request.shipmentId || id };
      const existing = await findShipment(trx, key);
      if (existing) {
        return toShipmentMessage(asAsked(existing, wanted, request));
      }
      if (closed) {
        throw orderClosed(orderId);
      }
      if (order.state !== Order_State.CONFIRMED && order.state !== Order_State.FULFILLING) {
        throw orderNotShippable(orderId, Order_State[order.state] ?? `${order.state}`);
      }
      const created = await insertShipment(trx, db.dialect, {
        ...key,
        id,
        carrier,
        carrierService,
        lines: decideLines(orderId, order, await shippedOfOrder(trx, key), wanted),
        destination: destinationOf(order),
        labels: request.shipment?.labels ?? {},
        createdAt: clock.now().getTime(),
      });
      afterCommit(trx, logistics.nudgeShipments);
      return toShipmentMessage(created);
    });
  };
}

function wantedLines({ shipment }: CreateShipmentRequest): WantedLine[] {
  const lines = shipment?.lines ?? [];
  const seen = new Set<string>();
  const repeated = lines.flatMap(({ lineItemId }, i) => {
    const again = seen.has(lineItemId);
    seen.add(lineItemId);
    return again ? [{ field: `shipment.lines[${i}].line_item_id`, description: "names the line a second time" }] : [];
  });
  if (repeated.length > 0) {
    throw invalidArgument(repeated);
  }
  return lines.map(({ lineItemId, quantity }) => ({ lineItemId, quantity }));
}

/** The shipment that has the wanted name already, if it is the same. */
function asAsked(
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
  const decision = linesToShip(order.lineItems, shipped, wanted);
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
