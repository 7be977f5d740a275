import { createRegistry } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { file_docket_audit_v1_audit } from "../../../gen/docket/audit/v1/audit_pb.js";
import { file_docket_payment_v1_payment_events } from "../../../gen/docket/payment/v1/payment_events_pb.js";
import type { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { eraseCallbacks } from "../../runtime/callbacks/rows.ts";
import type { CallbackInboxTables } from "../../runtime/callbacks/tables.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { withTables } from "../../runtime/db/any-transaction.ts";
import { truncateLog } from "../../runtime/db/truncate-log.ts";
import { eraseOutbox } from "../../runtime/erasure/erase-messages.ts";
import type { PaymentContext } from "../context.ts";
import { paymentName } from "../domain/payment.ts";
import { erasePayment } from "../store/erase-payment.ts";
import { lockPaymentByUid, paymentUidsOfOrder } from "../store/payments.ts";

/** All messages that the payment service publishes. */
const contract = createRegistry(file_docket_audit_v1_audit, file_docket_payment_v1_payment_events);

/** Erases payments one by one, each with its callbacks in one transaction, then the order's events. Idempotent. */
export function anonymizePayments({
  db,
  clock,
}: PaymentContext): ServiceImpl<typeof PaymentService>["anonymizePayments"] {
  return async ({ parent }, call) => {
    const { tenant } = principalOf(call);
    const orderId = parent.slice("orders/".length);
    for (const uid of await paymentUidsOfOrder(db.kysely, tenant, orderId)) {
      await db.transaction(async (trx) => {
        const payment = await lockPaymentByUid(trx, db.dialect, uid);
        if (payment !== undefined) {
          await erasePayment(trx, payment, clock.now().getTime());
          await eraseCallbacks(withTables<CallbackInboxTables>(trx), {
            tenant,
            subject: paymentName(payment),
            source: payment.provider,
            reference: payment.reference ?? "",
          });
        }
      });
    }
    await db.transaction((trx) => eraseOutbox(trx, { tenant, aggregate: parent, registry: contract }));
    await truncateLog(db);
    return {};
  };
}
