import type { Shipment } from "../../../../gen/docket/logistics/v1/logistics_pb.js";

/** The name of a shipment's order. */
export function orderOf({ name }: Shipment): string {
  return name.slice(0, name.indexOf("/shipments/"));
}
