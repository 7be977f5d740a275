import { create } from "@bufbuild/protobuf";
import { createServiceImplSpec, type ServiceImpl } from "@connectrpc/connect";
import {
  ShipmentCancelledSchema,
  ShipmentCreatedSchema,
  ShipmentDeliveredSchema,
} from "../../../gen/docket/logistics/v1/logistics_events_pb.js";
import { type Shipment, Shipment_State, ShipmentSchema } from "../../../gen/docket/logistics/v1/logistics_pb.js";
import {
  CancelOrderShipmentsResponseSchema,
  FenceOrderShipmentsResponseSchema,
  ListShipmentsResponseSchema,
  LogisticsService,
} from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import type { EventBus } from "../../runtime/bus/event-bus.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { alreadyExists, failedPrecondition } from "../../runtime/errors.ts";
import { beReachable } from "./fake-outage.ts";
import { publisher } from "./fake-publisher.ts";

/** The logistics service in memory: calls are idempotent, and an order closed to shipments stays closed. */
export function fakeLogistics(bus: EventBus) {
  const publish = publisher(bus, "docket/logistics");
  const shipments = new Map<string, Shipment>();
  const closed = new Set<string>();
  const calls: string[] = [];
  const control = { away: 0, underWay: false, refuse: false, whenFenced: async () => {} };
  const parentOf = (name: string) => name.split("/").slice(0, 2).join("/");
  const liveOf = (parent: string) =>
    [...shipments.values()].filter(
      ({ name, state }) => parentOf(name) === parent && state !== Shipment_State.CANCELLED,
    );
  /** Every order here has one line of two units. */
  const leftOf = (parent: string) =>
    liveOf(parent)
      .flatMap(({ lines }) => lines)
      .reduce((left, { quantity }) => left - quantity, 2);

  const impl: Partial<ServiceImpl<typeof LogisticsService>> = {
    anonymizeShipments: () => ({}),
    async createShipment({ parent, shipmentId, requestId }) {
      beReachable(control);
      calls.push(`ship ${parent}`);
      const name = `${parent}/shipments/${shipmentId || requestId.replaceAll("/", "-")}`;
      const existing = shipments.get(name);
      if (existing !== undefined) {
        if (existing.carrierService !== "") {
          throw alreadyExists("SHIPMENT_EXISTS", `${name} is another shipment`);
        }
        return existing;
      }
      if (closed.has(parent)) {
        throw failedPrecondition("ORDER_CLOSED", "the order is closed", []);
      }
      if (control.refuse) {
        throw failedPrecondition("CARRIER_REFUSED", "the carrier refused", []);
      }
      const quantity = leftOf(parent);
      if (quantity === 0) {
        throw failedPrecondition("NOTHING_TO_SHIP", "all units are already in shipments", []);
      }
      const lines = [{ lineItemId: "1", quantity }];
      const shipment = create(ShipmentSchema, { name, state: Shipment_State.PENDING, lines });
      shipments.set(name, shipment);
      return shipment;
    },
    listShipments({ parent }) {
      return create(ListShipmentsResponseSchema, { shipments: liveOf(parent) });
    },
    async fenceOrderShipments({ parent }) {
      const ofOrder = [...shipments.values()].filter(({ name }) => parentOf(name) === parent);
      await control.whenFenced();
      return create(FenceOrderShipmentsResponseSchema, { shipments: ofOrder });
    },
    async cancelOrderShipments({ parent }, context) {
      calls.push(`cancel shipments ${parent}`);
      if (control.underWay) {
        throw failedPrecondition("SHIPMENT_UNDER_WAY", "a shipment is under way", []);
      }
      closed.add(parent);
      const cancelled = [...shipments.values()].filter(({ name }) => parentOf(name) === parent);
      for (const shipment of cancelled) {
        shipment.state = Shipment_State.CANCELLED;
        await publish(
          ShipmentCancelledSchema,
          create(ShipmentCancelledSchema, { shipment }),
          principalOf(context).tenant,
          parent,
        );
      }
      return create(CancelOrderShipmentsResponseSchema, { shipments: cancelled });
    },
  };
  const tell = async (
    schema: typeof ShipmentCreatedSchema | typeof ShipmentDeliveredSchema | typeof ShipmentCancelledSchema,
    tenant: string,
    shipment: Shipment,
  ) => publish(schema, create(schema, { shipment }), tenant, parentOf(shipment.name));
  return {
    shipments,
    /** Orders closed to further shipments. */
    closed,
    calls,
    control,
    /** Publishes that a shipment of these lines was booked. */
    async created(tenant: string, name: string, lines: Record<string, number>, carrierService = "") {
      const shipmentLines = Object.entries(lines).map(([lineItemId, quantity]) => ({ lineItemId, quantity }));
      const shipment = create(ShipmentSchema, {
        name,
        state: Shipment_State.PENDING,
        lines: shipmentLines,
        carrierService,
      });
      shipments.set(name, shipment);
      return tell(ShipmentCreatedSchema, tenant, shipment);
    },
    async cancelled(tenant: string, name: string) {
      const shipment = shipments.get(name) ?? create(ShipmentSchema, { name });
      shipment.state = Shipment_State.CANCELLED;
      return tell(ShipmentCancelledSchema, tenant, shipment);
    },
    async delivered(tenant: string, name: string) {
      const shipment = shipments.get(name) ?? create(ShipmentSchema, { name });
      shipment.state = Shipment_State.DELIVERED;
      return tell(ShipmentDeliveredSchema, tenant, shipment);
    },
    spec: createServiceImplSpec(LogisticsService, impl),
  };
}
