import { createRegistry } from "@bufbuild/protobuf";
import { file_docket_audit_v1_audit } from "../../../gen/docket/audit/v1/audit_pb.js";
import { file_docket_inventory_v1_inventory_events } from "../../../gen/docket/inventory/v1/inventory_events_pb.js";
import { file_docket_logistics_v1_logistics_events } from "../../../gen/docket/logistics/v1/logistics_events_pb.js";
import { file_docket_order_v1_order_events } from "../../../gen/docket/order/v1/order_events_pb.js";
import { file_docket_order_v1_order_service } from "../../../gen/docket/order/v1/order_service_pb.js";
import { file_docket_payment_v1_payment_events } from "../../../gen/docket/payment/v1/payment_events_pb.js";
import { truncateLog } from "../../runtime/db/truncate-log.ts";
import { eraseInbox, eraseOutbox } from "../../runtime/erasure/erase-messages.ts";
import { eraseResponses } from "../../runtime/erasure/erase-responses.ts";
import { eraseSagas } from "../../runtime/erasure/erase-sagas.ts";
import { done, type SagaDefinition, type SagaKind, type SagaStep } from "../../runtime/saga/definition.ts";
import type { OrderContext } from "../context.ts";
import { note } from "../domain/changes.ts";
import { orderName } from "../domain/order.ts";
import { changeOrder } from "../store/change-order.ts";
import { eraseTimeline } from "../store/customer-orders.ts";
import { deleteOrder } from "../store/delete-orders.ts";
import { dependencyRetryPolicy, systemStamp } from "./steps.ts";

/** State of the saga. */
export interface AnonymizeOrderState {
  readonly orderId: string;
  /** Whether the order is finally deleted. */
  readonly deletes?: boolean;
}

export const anonymizeOrderSaga: SagaKind<AnonymizeOrderState> = { name: "anonymize-order", version: 1 };

type Step = SagaStep<AnonymizeOrderState>;

/** Limits of the steps that erase data in other services. */
const erasing = { ...dependencyRetryPolicy, timeoutMs: 60_000 };

/** All messages that the order service publishes, consumes or returns. */
const contract = createRegistry(
  file_docket_audit_v1_audit,
  file_docket_inventory_v1_inventory_events,
  file_docket_logistics_v1_logistics_events,
  file_docket_order_v1_order_events,
  file_docket_order_v1_order_service,
  file_docket_payment_v1_payment_events,
);

/**
 * Erases the copies of an anonymized order's personal data: timeline, stored responses, messages and sagas here, then
 * the data of the other services. Every step is idempotent, and there is nothing to compensate.
 */
export function anonymizeOrder(ctx: OrderContext): SagaDefinition<AnonymizeOrderState> {
  const { logistics, payment } = ctx.clients;
  return {
    ...anonymizeOrderSaga,
    steps: [
      eraseRecords(ctx),
      calling("erase-shipments", (tenant, parent, options) =>
        logistics.for(tenant).anonymizeShipments({ parent }, options),
      ),
      calling("erase-payments", (tenant, parent, options) =>
        payment.for(tenant).anonymizePayments({ parent }, options),
      ),
      eraseReservations(ctx),
    ],
  };
}

/** The last step: also deletes the order, or notes on its timeline that the data is erased. */
function eraseReservations(ctx: OrderContext): Step {
  const { db, clients } = ctx;
  const happening = { type: "PersonalDataErased", message: "The order's personal data was erased in all services." };
  return {
    ...erasing,
    name: "erase-reservations",
    async invoke({ state, tenant, signal }) {
      const key = { tenant, id: state.orderId };
      await clients.inventory.for(tenant).anonymizeReservations({ parent: orderName(key) }, { signal });
      if (state.deletes === true) {
        await db.transaction((trx) => deleteOrder(trx, key));
        return done();
      }
      return done({ command: changeOrder(ctx, key, (order) => [note(order, happening, systemStamp(ctx))]) });
    },
  };
}

function eraseRecords({ db }: OrderContext): Step {
  return {
    name: "erase-records",
    ...dependencyRetryPolicy,
    // Stored responses are scanned one tenant at a time.
    timeoutMs: 10 * 60_000,
    async invoke({ state, tenant, signal }) {
      const name = orderName(state.orderId);
      await eraseResponses(db, { tenant, name, registry: contract, signal });
      const erased = { tenant, aggregate: name, registry: contract };
      await db.transaction(async (trx) => {
        await eraseTimeline(trx, tenant, state.orderId);
        await eraseSagas(trx, erased);
        await eraseOutbox(trx, erased);
        await eraseInbox(trx, erased);
      });
      await truncateLog(db);
      return done();
    },
  };
}

function calling(
  name: string,
  erase: (tenant: string, parent: string, options: { signal: AbortSignal }) => Promise<unknown>,
): Step {
  return {
    ...erasing,
    name,
    async invoke({ state, tenant, signal }) {
      await erase(tenant, orderName(state.orderId), { signal });
      return done();
    },
  };
}
