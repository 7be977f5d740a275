import { createRegistry } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { file_docket_logistics_v1_logistics_events } from "../../../gen/docket/logistics/v1/logistics_events_pb.js";
import {
  file_docket_logistics_v1_logistics_service,
  type LogisticsService,
} from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { eraseCallbacks } from "../../runtime/callbacks/rows.ts";
import type { CallbackInboxTables } from "../../runtime/callbacks/tables.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { withTables } from "../../runtime/db/any-transaction.ts";
import { truncateLog } from "../../runtime/db/truncate-log.ts";
import { eraseOutbox } from "../../runtime/erasure/erase-messages.ts";
import { eraseResponses } from "../../runtime/erasure/erase-responses.ts";
import { aborted } from "../../runtime/errors.ts";
import type { LogisticsContext } from "../context.ts";
import { orderIdOf, shipmentName } from "../messages.ts";
import { eraseShipment } from "../store/erase-shipment.ts";
import { lockShipment, shipmentsOfOrder } from "../store/shipments.ts";

/** All messages that the logistics service publishes or returns. */
const contract = createRegistry(file_docket_logistics_v1_logistics_events, file_docket_logistics_v1_logistics_service);

/**
 * Erases the personal data of each shipment and its callbacks, one transaction per shipment, then that of the order in
 * the runtime's tables. Idempotent.
 */
export function anonymizeShipments({
  db,
  clock,
}: LogisticsContext): ServiceImpl<typeof LogisticsService>["anonymizeShipments"] {
  return async ({ parent }, call) => {
    const { tenant } = principalOf(call);
    const shipments = await shipmentsOfOrder(db.kysely, { tenant, orderId: orderIdOf(parent) });
    for (const { id } of shipments) {
      await db.transaction(async (trx) => {
        const shipment = await lockShipment(trx, db.dialect, id);
        if (shipment === undefined) {
          return;
        }
        if (shipment.booking === "PENDING" && !shipment.progress.decided) {
          throw aborted("SHIPMENT_BEING_BOOKED", `${shipmentName(shipment)} is being booked`, { retryAfterMs: 1_000 });
        }
        await eraseShipment(trx, shipment, clock.now().getTime());
        await eraseCallbacks(withTables<CallbackInboxTables>(trx), {
          tenant,
          subject: shipmentName(shipment),
          source: shipment.carrier,
          reference: shipment.trackingNumber ?? "",
        });
      });
    }
    await eraseResponses(db, { tenant, name: parent, registry: contract, signal: call.signal });
    await db.transaction((trx) => eraseOutbox(trx, { tenant, aggregate: parent, registry: contract }));
    await truncateLog(db);
    return {};
  };
}
