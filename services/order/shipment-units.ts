import { type Shipment, Shipment_State } from "../../gen/docket/logistics/v1/logistics_pb.js";

/** The fields of shipments that the order service reads. */

/** Whether a shipment's units are no longer on the way to the customer: it was cancelled or closed. */
export function isOver(shipment: Shipment): boolean {
  return shipment.state === Shipment_State.CANCELLED || shipment.closeTime !== undefined;
}

/** Units by order line in shipments that are not over. */
export function shippedByLine(shipments: readonly Shipment[]): Map<string, number> {
  const units = new Map<string, number>();
  for (const { lineItemId, quantity } of shipments
    .filter((shipment) => !isOver(shipment))
    .flatMap(({ lines }) => lines)) {
    units.set(lineItemId, (units.get(lineItemId) ?? 0) + quantity);
  }
  return units;
}

/** Units by SKU in closed shipments: they left the warehouse and did not reach the customer. */
export function closedBySku(shipments: readonly Shipment[]): Map<string, bigint> {
  const units = new Map<string, bigint>();
  for (const { sku, quantity } of shipments.filter(({ closeTime }) => closeTime).flatMap(({ lines }) => lines)) {
    units.set(sku, (units.get(sku) ?? 0n) + BigInt(quantity));
  }
  return units;
}
