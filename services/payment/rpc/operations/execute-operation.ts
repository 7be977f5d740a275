import { type DescMethod, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { type Payment as PaymentMessage, PaymentSchema } from "../../../../gen/docket/payment/v1/payment_pb.js";
import type { Batch, Command } from "../../../runtime/commands/command.ts";
import { databaseErrorKind } from "../../../runtime/db/errors.ts";
import { idempotencyKeyReused } from "../../../runtime/idempotency/errors.ts";
import { idempotencyKeyOf } from "../../../runtime/idempotency/idempotency-key.ts";
import { hashRequest } from "../../../runtime/idempotency/request-hash.ts";
import type { PaymentContext } from "../../context.ts";
import type { OperationKind } from "../../domain/operation.ts";
import { paymentName } from "../../domain/payment.ts";
import { paymentNotFound, providerRefused } from "../../errors.ts";
import { paymentKeyOf } from "../../messages.ts";
import { performOperation } from "../../perform-operation.ts";
import { payments } from "../../store/mappings.ts";
import { type CallerKey, isKeyUsed } from "../../store/operations.ts";
import type { PaymentAggregate, StoredOperation } from "../../store/payment-aggregate.ts";

/** A caller's capture, void or refund request. */
export interface IdempotentRequest {
  readonly tenant: string;
  readonly method: DescMethod;
  readonly kind: OperationKind;
  readonly request: MessageShape<DescMethod["input"]> & { readonly name: string; readonly requestId: string };
  readonly call: HandlerContext;
}

/** Decides on a request: returns the payment with the operation to execute. Throws if the request is refused. */
type Begin = (batch: Batch, file: PaymentAggregate, caller: CallerKey | undefined) => StartedOperation;

/**
 * Executes a caller's request at most once under its key, in three steps: a command decides with `begin` and writes the
 * operation under the caller's key; the provider is called; its result is committed together with the response. A
 * repeated request finds the operation: it gets the same response if the operation has ended, and otherwise resumes it.
 */
export async function executeOperation(
  ctx: PaymentContext,
  keyed: IdempotentRequest,
  begin: Begin,
): Promise<PaymentMessage> {
  const { db, commands } = ctx;
  const { tenant } = keyed;
  const caller = callerKeyOf(keyed);
  const { signal } = keyed.call;
  const write = commands.execute(beginCommand(keyed, caller, begin), { signal, tenant });
  const started = await write.catch(async (error: unknown) => {
    // Another payment's operation has the same key.
    if (caller && databaseErrorKind(error) === "unique" && (await isKeyUsed(db.kysely, tenant, caller.requestKey))) {
      throw idempotencyKeyReused(caller.requestKey);
    }
    throw error;
  });
  const { id, state } = started.operation;
  const file = state === "PENDING" ? await performOperation(ctx, started.file, started.operation) : started.file;
  return readResponse(
    file,
    file.operations.find((operation) => operation.id === id),
  );
}

function beginCommand(
  { tenant, kind, request }: IdempotentRequest,
  caller: CallerKey | undefined,
  begin: Begin,
): Command<StartedOperation> {
  const { orderId, paymentId } = paymentKeyOf(tenant, request.name);
  const name = [tenant, orderId, paymentId];
  return {
    keys: (need) => need.by(payments, "name", name),
    decide(batch) {
      const file = batch.find(payments, "name", name);
      if (file === undefined) {
        throw paymentNotFound(request.name);
      }
      const earlier = caller && file.operations.find(({ requestKey }) => requestKey === caller.requestKey);
      if (caller === undefined || earlier === undefined) {
        const started = begin(batch, file, caller);
        batch.update(payments, started.file);
        return started;
      }
      if (earlier.kind !== kind || earlier.requestHash !== caller.requestHash) {
        throw idempotencyKeyReused(caller.requestKey);
      }
      return { file, operation: earlier };
    },
  };
}

/** An operation that is written and not yet executed. */
export interface StartedOperation {
  readonly file: PaymentAggregate;
  readonly operation: StoredOperation;
}

/** The stored response of an operation that has ended. */
function readResponse({ payment }: PaymentAggregate, operation: StoredOperation | undefined): PaymentMessage {
  if (operation?.state === "REFUSED") {
    throw providerRefused(payment, operation.message);
  }
  if (operation?.response === undefined) {
    throw new Error(`operation ${operation?.id} of ${paymentName(payment)} ended without a response`);
  }
  return fromBinary(PaymentSchema, operation.response);
}

function callerKeyOf({ method, request, call }: IdempotentRequest): CallerKey | undefined {
  const key = idempotencyKeyOf(request, call);
  return key && { requestKey: key.id, requestHash: hashRequest(method.input, request, key.caller) };
}
