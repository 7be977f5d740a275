import { type DescMethod, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { Transaction } from "kysely";
import { type Payment as PaymentMessage, PaymentSchema } from "../../../../gen/docket/payment/v1/payment_pb.js";
import { isUniqueViolation } from "../../../runtime/db/sql.ts";
import { idempotencyKeyReused } from "../../../runtime/idempotency/errors.ts";
import { idempotencyKeyOf } from "../../../runtime/idempotency/idempotency-key.ts";
import { hashRequest } from "../../../runtime/idempotency/request-hash.ts";
import type { PaymentContext } from "../../context.ts";
import type { PaymentDatabase } from "../../db/schema.ts";
import type { Operation, OperationKind } from "../../domain/operation.ts";
import { type Payment, paymentName } from "../../domain/payment.ts";
import { paymentNotFound, providerRefused } from "../../errors.ts";
import { paymentKeyOf } from "../../messages.ts";
import { performOperation } from "../../perform-operation.ts";
import { loadAggregate, type PaymentAggregate } from "../../record-change.ts";
import { type CallerKey, findKeyedOperation, readOutcome } from "../../store/operations.ts";
import { lockPayment } from "../../store/payments.ts";

/** A caller's capture, void or refund request. */
export interface IdempotentRequest {
  readonly tenant: string;
  readonly method: DescMethod;
  readonly kind: OperationKind;
  readonly request: MessageShape<DescMethod["input"]> & { readonly name: string; readonly requestId: string };
  readonly context: HandlerContext;
}

/**
 * Executes a caller's request at most once under its key, in three steps: `begin` decides in a transaction, with the
 * payment locked, and writes the operation under the caller's key; the provider is called outside the transaction; its
 * result is committed together with the response. A repeated request finds the operation: it gets the same response if
 * the operation has ended, and otherwise resumes it.
 */
export async function executeOperation(
  context: PaymentContext,
  keyed: IdempotentRequest,
  begin: (
    trx: Transaction<PaymentDatabase>,
    file: PaymentAggregate,
    caller: CallerKey | undefined,
  ) => Promise<StartedOperation>,
): Promise<PaymentMessage> {
  const { db } = context;
  const caller = callerKeyOf(keyed);
  const write = db.transaction(
    async (trx): Promise<StartedOperation> => {
      const payment = await lockPayment(trx, db.dialect, paymentKeyOf(keyed.tenant, keyed.request.name));
      if (payment === undefined) {
        throw paymentNotFound(keyed.request.name);
      }
      const file = await loadAggregate(trx, payment);
      const earlier = caller && (await findKeyedOperation(trx, keyed.tenant, caller.requestKey));
      if (caller === undefined || earlier === undefined) {
        return begin(trx, file, caller);
      }
      if (earlier.operation.kind !== keyed.kind || earlier.requestHash !== caller.requestHash) {
        throw idempotencyKeyReused(caller.requestKey);
      }
      return { file, operation: earlier.operation };
    },
    { signal: keyed.context.signal },
  );
  const { file, operation } = await write.catch(async (error: unknown) => {
    // Only another payment's operation under the same key can be written meanwhile, because this payment is locked.
    if (caller && isUniqueViolation(error) && (await findKeyedOperation(db.kysely, keyed.tenant, caller.requestKey))) {
      throw idempotencyKeyReused(caller.requestKey);
    }
    throw error;
  });
  if (operation.state === "PENDING") {
    await performOperation(context, file, operation);
  }
  return readAnswer(context, file.payment, operation);
}

/** An operation that is written and not yet executed. */
export interface StartedOperation {
  readonly file: PaymentAggregate;
  readonly operation: Operation;
}

/** The stored operation once it has ended. */
async function readAnswer({ db }: PaymentContext, payment: Payment, { id }: Operation): Promise<PaymentMessage> {
  const { state, message, response } = await readOutcome(db.kysely, id);
  if (state === "REFUSED") {
    throw providerRefused(payment, message);
  }
  if (response === undefined) {
    throw new Error(`operation ${id} of ${paymentName(payment)} ended without an answer`);
  }
  return fromBinary(PaymentSchema, response);
}

function callerKeyOf({ method, request, context }: IdempotentRequest): CallerKey | undefined {
  const key = idempotencyKeyOf(request, context);
  return key && { requestKey: key.id, requestHash: hashRequest(method.input, request, key.caller) };
}
