import type { Transaction } from "kysely";
import { PaymentSchema } from "../../../gen/docket/payment/v1/payment_pb.js";
import { ERASED } from "../../runtime/api/personal-fields.ts";
import { eraseNamed } from "../../runtime/erasure/erase-responses.ts";
import type { PaymentDatabase } from "../db/schema.ts";
import { type Payment, paymentName } from "../domain/payment.ts";

/**
 * Erases personal texts and the secrets that open the payment at its provider, from a locked payment, its refunds and
 * its operations; writes a new version if that changes anything. Amounts, states and movements remain. Idempotent.
 */
export async function erasePayment(
  trx: Transaction<PaymentDatabase>,
  payment: Payment,
  updatedAt: number,
): Promise<void> {
  const own = { tenant: payment.tenant, uid: payment.uid };
  const refunds = await eraseRefunds(trx, own);
  const operations = await eraseOperations(trx, own, paymentName(payment));
  const { failureMessage, clientSecret, redirectUrl } = payment;
  if (refunds || operations || failureMessage !== "" || clientSecret !== "" || redirectUrl !== "") {
    await trx
      .updateTable("payments")
      .set({
        failure_message: failureMessage === "" ? "" : ERASED,
        client_secret: "",
        redirect_url: "",
        updated_at: updatedAt,
        version: payment.version + 1,
      })
      .where("tenant_id", "=", own.tenant)
      .where("id", "=", own.uid)
      .execute();
  }
}

interface Own {
  readonly tenant: string;
  readonly uid: string;
}

async function eraseRefunds(trx: Transaction<PaymentDatabase>, { tenant, uid }: Own): Promise<boolean> {
  let changed = false;
  for (const column of ["reason", "failure_message"] as const) {
    const { numUpdatedRows } = await trx
      .updateTable("refunds")
      .set({ [column]: ERASED })
      .where("tenant_id", "=", tenant)
      .where("payment_uid", "=", uid)
      .where(column, "not in", ["", ERASED])
      .executeTakeFirstOrThrow();
    changed ||= numUpdatedRows > 0n;
  }
  return changed;
}

/** Operations that have ended; pending ones hold only data that the provider still needs. */
async function eraseOperations(
  trx: Transaction<PaymentDatabase>,
  { tenant, uid }: Own,
  name: string,
): Promise<boolean> {
  const rows = await trx
    .selectFrom("payment_operations")
    .select(["id", "message", "response"])
    .where("tenant_id", "=", tenant)
    .where("payment_uid", "=", uid)
    .where("due_at", "is", null)
    .execute();
  let changed = false;
  for (const { id, message, response } of rows) {
    const erased = response && eraseNamed(PaymentSchema, response, name);
    const sameResponse = response === null || (erased !== null && Buffer.from(erased).equals(response));
    if (!sameResponse || (message !== "" && message !== ERASED)) {
      changed = true;
      await trx
        .updateTable("payment_operations")
        .set({ message: message === "" ? "" : ERASED, response: erased })
        .where("id", "=", id)
        .execute();
    }
  }
  return changed;
}
