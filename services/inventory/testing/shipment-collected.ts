import { create, toBinary } from "@bufbuild/protobuf";
import { ShipmentCollectedSchema } from "../../../gen/docket/logistics/v1/logistics_events_pb.js";
import type { BusEvent } from "../../runtime/bus/event-bus.ts";

/** A ShipmentCollected event as published by logistics. */
export function shipmentCollected(
  tenant: string,
  order: string,
  units: Readonly<Record<string, number>>,
  id: string,
): BusEvent {
  const lines = Object.entries(units).map(([sku, quantity], i) => ({ lineItemId: `${i + 1}`, sku, quantity }));
  const message = create(ShipmentCollectedSchema, { shipment: { name: `orders/${order}/shipments/1`, lines } });
  return {
    id,
    type: ShipmentCollectedSchema.typeName,
    source: "docket/logistics",
    aggregate: `orders/${order}`,
    sequence: 1,
    tenant,
    time: new Date(),
    data: toBinary(ShipmentCollectedSchema, message),
    extensions: {},
  };
}
