import { createRegistry } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { file_docket_inventory_v1_inventory_events } from "../../../gen/docket/inventory/v1/inventory_events_pb.js";
import type { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { file_docket_logistics_v1_logistics_events } from "../../../gen/docket/logistics/v1/logistics_events_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { truncateLog } from "../../runtime/db/truncate-log.ts";
import { eraseInbox, eraseOutbox } from "../../runtime/erasure/erase-messages.ts";
import type { InventoryContext } from "../context.ts";

/** All messages that the inventory service publishes or consumes. */
const contract = createRegistry(file_docket_inventory_v1_inventory_events, file_docket_logistics_v1_logistics_events);

/** Erases messages about the order. Reservations and the ledger hold no personal data. Idempotent. */
export function anonymizeReservations({
  db,
}: InventoryContext): ServiceImpl<typeof InventoryService>["anonymizeReservations"] {
  return async ({ parent }, call) => {
    const { tenant } = principalOf(call);
    const erased = { tenant, aggregate: parent, registry: contract };
    await db.transaction(async (trx) => {
      await eraseOutbox(trx, erased);
      await eraseInbox(trx, erased);
    });
    await truncateLog(db);
    return {};
  };
}
