import { create } from "@bufbuild/protobuf";
import type { Transaction } from "kysely";
import { AddressSchema } from "../../../gen/docket/order/v1/order_pb.js";
import { eraseCustomer } from "../../runtime/api/personal-fields.ts";
import type { LogisticsDatabase } from "../db/schema.ts";
import type { Destination, StoredShipment } from "../domain/shipment.ts";

/**
 * Erases a locked shipment's destination, labels and carrier texts, and increments its version if anything changed.
 * Lines, states, times and tracking number remain. Idempotent.
 */
export async function eraseShipment(
  trx: Transaction<LogisticsDatabase>,
  shipment: StoredShipment,
  updatedAt: number,
): Promise<void> {
  const destination = JSON.stringify(erasedDestination(shipment.destination));
  const hasChanged =
    destination !== JSON.stringify(shipment.destination) ||
    Object.keys(shipment.labels).length > 0 ||
    (shipment.trackingUrl ?? "") !== "" ||
    shipment.events.some(({ message, location }) => message !== "" || location !== "");
  if (!hasChanged) {
    return;
  }
  await trx
    .updateTable("shipments")
    .set({ destination, labels: "{}", tracking_url: null, updated_at: updatedAt, version: shipment.version + 1 })
    .where("id", "=", shipment.id)
    .execute();
  await trx
    .updateTable("tracking_events")
    .set({ message: "", location: "" })
    .where("tenant_id", "=", shipment.tenant)
    .where("shipment_id", "=", shipment.id)
    .execute();
}

/** The destination without the fields marked as personal in the API, in the order of its stored fields. */
function erasedDestination(destination: Destination): Destination {
  const address = create(AddressSchema, { ...destination, addressLines: [...destination.addressLines] });
  eraseCustomer(AddressSchema, address);
  return {
    recipient: address.recipient,
    addressLines: [...address.addressLines],
    locality: address.locality,
    administrativeArea: address.administrativeArea,
    postalCode: address.postalCode,
    regionCode: address.regionCode,
  };
}
