import { toBinary } from "@bufbuild/protobuf";
import { PaymentSchema } from "../../gen/docket/payment/v1/payment_pb.js";
import type { Command } from "../runtime/commands/command.ts";
import { fullJitterMs } from "../runtime/values/backoff.ts";
import type { PaymentContext } from "./context.ts";
import { mergeReport } from "./domain/merge-report.ts";
import type { Operation } from "./domain/operation.ts";
import { type Payment, paymentName } from "./domain/payment.ts";
import { type Merged, then, withRefunds } from "./domain/payment-change.ts";
import { refuse } from "./domain/settlement.ts";
import { providerUnavailable } from "./errors.ts";
import { toPaymentMessage } from "./messages.ts";
import type { PaymentProvider, ProviderAnswer } from "./providers/payment-provider.ts";
import { recordChange } from "./record-change.ts";
import { payments } from "./store/mappings.ts";
import { ended, postponeOperation } from "./store/operations.ts";
import type { PaymentAggregate } from "./store/payment-aggregate.ts";

/**
 * Executes an operation: calls the provider, then writes its response with a command. Any number of
 * processes may do so concurrently or one after another, as the provider deduplicates by the key and only the first
 * response is written.
 *
 * @returns the payment after the response
 * @throws ConnectError UNAVAILABLE when the outcome is not known; the operation is then due again after a pause
 */
export async function performOperation(
  ctx: PaymentContext,
  { payment, refunds }: Pick<PaymentAggregate, "payment" | "refunds">,
  operation: Operation,
): Promise<PaymentAggregate> {
  const { db, commands, log, random, timing } = ctx;
  let answer: ProviderAnswer;
  try {
    const provider = providerOf(ctx, payment);
    answer = await ask(
      provider,
      { payment, refunds },
      operation,
      AbortSignal.timeout(timing.current.providerTimeoutMs),
    );
  } catch (error) {
    const pauseMs = fullJitterMs(operation.attempt, timing.current.retry, random);
    const problem = error instanceof Error ? error.message : String(error);
    await postponeOperation(db.kysely, db.dialect, operation, { pauseMs, problem });
    log.warn({ err: error, operation: operation.key, attempt: operation.attempt }, "the provider did not respond");
    throw providerUnavailable(payment, error);
  }
  return commands.execute(checkpoint(ctx, operation, answer), { tenant: payment.tenant });
}

/** The provider that opened a payment. */
export function providerOf({ providers }: PaymentContext, payment: Payment): PaymentProvider {
  const provider = providers.get(payment.provider);
  if (provider === undefined) {
    throw new Error(`the provider ${payment.provider} is not configured`);
  }
  return provider;
}

/** Writes a response, unless another process has written one. */
function checkpoint(ctx: PaymentContext, performed: Operation, answer: ProviderAnswer): Command<PaymentAggregate> {
  const { id, tenant, paymentUid } = performed;
  return {
    keys: (need) => need.one(payments, [tenant, paymentUid]),
    decide(batch) {
      const file = batch.get(payments, [tenant, paymentUid]);
      if (file === undefined) {
        throw new Error(`operation ${id} belongs to no payment`);
      }
      const operation = file.operations.find((candidate) => candidate.id === id);
      if (operation?.state !== "PENDING") {
        return file;
      }
      const { merged, problem } = apply(ctx, file, operation, answer);
      const operations = file.operations.map((other) => (other.id === id ? ended(operation, problem) : other));
      const next = recordChange(ctx, batch, { ...file, operations }, merged, `operation ${id}`);
      const response = toBinary(PaymentSchema, toPaymentMessage(next.payment, next.refunds));
      const finished = {
        ...next,
        operations: next.operations.map((other) => (other.id === id ? { ...other, response } : other)),
      };
      batch.update(payments, finished);
      return finished;
    },
  };
}

/** Effect of a response on the payment, with the reason if the operation was rejected. */
function apply(
  { clock, log }: PaymentContext,
  { payment, refunds }: PaymentAggregate,
  operation: Operation,
  answer: ProviderAnswer,
): { merged: Merged; problem: string | undefined } {
  const nowMs = clock.now().getTime();
  const unchanged = withRefunds(payment, refunds, []);
  const result = answer.report ? mergeReport(payment, refunds, answer.report, nowMs) : unchanged;
  if (result.kind !== "merged") {
    log.error(
      { operation: operation.key, problem: result.problem },
      "the provider's response does not match the payment",
    );
  }
  const merged = result.kind === "early" ? unchanged : result.kind === "mismatch" ? result.merged : result;
  if (answer.kind === "done") {
    return { merged, problem: result.kind === "merged" ? undefined : result.problem };
  }
  const { message } = answer;
  if (operation.kind === "OPEN") {
    return { merged: then(merged, refuse(merged.payment, merged.refunds, message)), problem: message };
  }
  const refund = merged.refunds.find(({ id }) => operation.kind === "REFUND" && id === operation.refundId);
  if (refund?.state === "PENDING") {
    const failed = { ...refund, state: "FAILED" as const, failureMessage: message };
    return { merged: then(merged, withRefunds(merged.payment, merged.refunds, [failed])), problem: message };
  }
  return { merged, problem: message };
}

async function ask(
  provider: PaymentProvider,
  { payment, refunds }: Pick<PaymentAggregate, "payment" | "refunds">,
  operation: Operation,
  signal: AbortSignal,
): Promise<ProviderAnswer> {
  const { key } = operation;
  const amount = { currency: payment.currency, minor: operation.amount };
  if (operation.kind === "OPEN") {
    return provider.open(
      {
        key,
        amount,
        payment: { tenant: payment.tenant, name: paymentName(payment) },
        paymentToken: operation.paymentToken,
        captureAutomatically: payment.captureAutomatically,
        expireTime: new Date(payment.expiresAt),
      },
      signal,
    );
  }
  const { reference } = payment;
  if (reference === undefined) {
    throw new Error(`${paymentName(payment)} has no reference yet`);
  }
  switch (operation.kind) {
    case "CAPTURE":
      return provider.capture({ key, reference, amount }, signal);
    case "VOID":
      return provider.void({ key, reference }, signal);
    case "REFUND": {
      const { refundId = "" } = operation;
      const reason = refunds.find(({ id }) => id === refundId)?.reason ?? "";
      return provider.refund({ key, reference, amount, refundId, reason }, signal);
    }
    default:
      return operation.kind satisfies never;
  }
}
