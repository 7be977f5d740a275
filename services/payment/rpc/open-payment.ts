import { durationMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { OpenPaymentRequest, PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { type FieldViolation, invalidArgument } from "../../runtime/errors.ts";
import { parseMoney } from "../../runtime/values/money.ts";
import type { PaymentContext } from "../context.ts";
import { pendingOf } from "../domain/operation.ts";
import type { Payment } from "../domain/payment.ts";
import { paymentDiffers, paymentGivenUp, unknownProvider } from "../errors.ts";
import { paymentKeyOf, toPaymentMessage } from "../messages.ts";
import { performOperation } from "../perform-operation.ts";
import { loadAggregate, type PaymentAggregate } from "../record-change.ts";
import { insertPayment, lockPayment } from "../store/payments.ts";
import { newPayment, type PaymentTerms } from "./opening/new-payment.ts";
import { startOperation } from "./operations/start-operation.ts";

const MAX_TTL_MS = 366 * 24 * 60 * 60 * 1000;
const DEFAULT_TTL_MS = 24 * 60 * 60 * 1000;

/**
 * Opens a payment: commits it as CREATED, calls the provider, then commits the provider's response. If this process
 * crashes in between, a worker retries with the same key, and so does a caller's repeated request.
 */
export function openPayment(payments: PaymentContext): ServiceImpl<typeof PaymentService>["openPayment"] {
  const { db } = payments;
  return async (request, context) => {
    const key = paymentKeyOf(principalOf(context).tenant, request.name);
    const { terms, ttlMs } = parse(payments, request);

    const file = await db.transaction(
      async (trx): Promise<PaymentAggregate> => {
        const isNew = await insertPayment(trx, db.dialect, newPayment(payments, key, terms), ttlMs);
        const payment = asAsked(await lockPayment(trx, db.dialect, key), terms);
        if (!isNew) {
          return loadAggregate(trx, payment);
        }
        const file = { payment, refunds: [], operations: [] };
        const { paymentToken } = request;
        return (await startOperation(payments, trx, file, { kind: "OPEN", amount: payment.amount, paymentToken })).file;
      },
      { signal: context.signal },
    );
    const opening = pendingOf(file.operations, "OPEN");
    const opened = opening ? await performOperation(payments, file, opening) : file;
    return toPaymentMessage(opened.payment, opened.refunds);
  };
}

/** Returns the payment if its terms match and it was not settled before. */
function asAsked(payment: Payment | undefined, terms: PaymentTerms): Payment {
  if (payment === undefined) {
    throw new Error("a payment disappeared during a transaction");
  }
  if (payment.provider === "") {
    throw paymentGivenUp(payment);
  }
  const { amount, provider, captureAutomatically } = terms;
  const isSame =
    payment.currency === amount.currency &&
    payment.amount === amount.minor &&
    payment.provider === provider &&
    payment.captureAutomatically === captureAutomatically;
  if (!isSame) {
    throw paymentDiffers(payment);
  }
  return payment;
}

function parse(payments: PaymentContext, request: OpenPaymentRequest): { terms: PaymentTerms; ttlMs: number } {
  const violations: FieldViolation[] = [];
  const amount = request.amount && parseMoney(request.amount);
  if (amount === undefined || amount.minor <= 0n) {
    violations.push({
      field: "amount",
      description: "must be more than 0 in an ISO 4217 currency, with no more decimals than the currency has",
    });
  }
  const ttlMs = request.ttl ? durationMs(request.ttl) : DEFAULT_TTL_MS;
  if (!(ttlMs > 0 && ttlMs <= MAX_TTL_MS)) {
    violations.push({ field: "ttl", description: "must be more than 0 and at most 366 days" });
  }
  if (request.paymentToken.length > 1024) {
    violations.push({ field: "payment_token", description: "must be at most 1024 characters" });
  }
  if (amount === undefined || violations.length > 0) {
    throw invalidArgument(violations);
  }
  const provider = request.provider || payments.defaultProvider;
  if (!payments.providers.has(provider)) {
    throw unknownProvider(provider, payments.providers.keys());
  }
  return { terms: { amount, provider, captureAutomatically: request.captureAutomatically }, ttlMs: Math.ceil(ttlMs) };
}
