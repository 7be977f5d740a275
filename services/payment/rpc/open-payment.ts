import { durationMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { OpenPaymentRequest, PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import type { Command } from "../../runtime/commands/command.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { type FieldViolation, invalidArgument } from "../../runtime/errors.ts";
import { parseMoney } from "../../runtime/values/money.ts";
import type { PaymentContext } from "../context.ts";
import { pendingOf } from "../domain/operation.ts";
import type { Payment } from "../domain/payment.ts";
import { paymentDiffers, paymentGivenUp, unknownProvider } from "../errors.ts";
import { paymentKeyOf, toPaymentMessage } from "../messages.ts";
import { performOperation } from "../perform-operation.ts";
import { payments } from "../store/mappings.ts";
import type { PaymentAggregate } from "../store/payment-aggregate.ts";
import type { PaymentKey } from "../store/payments.ts";
import { newPayment, type PaymentTerms } from "./opening/new-payment.ts";
import { startOperation } from "./operations/start-operation.ts";

const MAX_TTL_MS = 366 * 24 * 60 * 60 * 1000;
const DEFAULT_TTL_MS = 24 * 60 * 60 * 1000;

/**
 * Opens a payment: commits it as CREATED, calls the provider, then commits the provider's response. If this process
 * crashes in between, a worker retries with the same key, and so does a caller's repeated request.
 */
export function openPayment(ctx: PaymentContext): ServiceImpl<typeof PaymentService>["openPayment"] {
  return async (request, call) => {
    const key = paymentKeyOf(principalOf(call).tenant, request.name);
    const wish = { key, ...parse(ctx, request), paymentToken: request.paymentToken };
    const { tenant } = key;

    const file = await ctx.commands.execute(open(ctx, wish), { signal: call.signal, tenant });
    const opening = pendingOf(file.operations, "OPEN");
    const opened = opening ? await performOperation(ctx, file, opening) : file;
    return toPaymentMessage(opened.payment, opened.refunds);
  };
}

interface Wish {
  readonly key: PaymentKey;
  readonly terms: PaymentTerms;
  readonly ttlMs: number;
  readonly paymentToken: string;
}

function open(ctx: PaymentContext, { key, terms, ttlMs, paymentToken }: Wish): Command<PaymentAggregate> {
  const name = [key.tenant, key.orderId, key.paymentId];
  return {
    keys: (need) => need.by(payments, "name", name),
    decide(batch) {
      const known = batch.find(payments, "name", name);
      if (known !== undefined) {
        asAsked(known.payment, terms);
        return known;
      }
      const expiresAt = batch.nowMs + ttlMs;
      const payment = { ...newPayment(ctx, key, terms), expiresAt };
      const created = { payment, refunds: [], operations: [], poll: { attempt: 0, dueAt: expiresAt } };
      const opening = { kind: "OPEN", amount: payment.amount, paymentToken } as const;
      const { file } = startOperation(ctx, batch, created, opening);
      batch.insert(payments, file);
      return file;
    },
  };
}

/** Throws unless the payment's terms match and it was not settled before. */
function asAsked(payment: Payment, terms: PaymentTerms): void {
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
}

function parse(ctx: PaymentContext, request: OpenPaymentRequest): { terms: PaymentTerms; ttlMs: number } {
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
  const provider = request.provider || ctx.defaultProvider;
  if (!ctx.providers.has(provider)) {
    throw unknownProvider(provider, ctx.providers.keys());
  }
  return { terms: { amount, provider, captureAutomatically: request.captureAutomatically }, ttlMs: Math.ceil(ttlMs) };
}
