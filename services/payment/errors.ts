import type { ConnectError } from "@connectrpc/connect";
import { unknownName } from "../runtime/api/known-names.ts";
import {
  aborted,
  alreadyExists,
  failedPrecondition,
  invalidArgument,
  notFound,
  unavailable,
} from "../runtime/errors.ts";
import { amountText, decimalOf } from "../runtime/values/amount-text.ts";
import { type Payment, paymentName, paymentState } from "./domain/payment.ts";
import { allowedActions, type PaymentAction } from "./domain/payment-state.ts";

/** Error reasons of the payment service. Machine-readable. */

export function paymentNotFound(name: string): ConnectError {
  return notFound("docket.dev/Payment", name);
}

export function callbackNotFound(name: string): ConnectError {
  return notFound("docket.dev/PaymentCallback", name);
}

export function unknownProvider(provider: string, known: Iterable<string>): ConnectError {
  return invalidArgument(unknownName("provider", "payment provider", provider, known), "UNKNOWN_PROVIDER");
}

/** The name was used to open a different payment. */
export function paymentDiffers(payment: Payment): ConnectError {
  const name = paymentName(payment);
  return alreadyExists("PAYMENT_EXISTS", `${name} was opened with another amount or provider`, { payment: name });
}

/** The name was settled before it was used. */
export function paymentGivenUp(payment: Payment): ConnectError {
  return refused("PAYMENT_VOIDED", payment, "the payment was voided before it was opened");
}

/** The payment's state does not allow the request. */
export function illegalState(payment: Payment, action: PaymentAction): ConnectError {
  const state = paymentState(payment);
  const allowed = allowedActions(state).join(", ") || "nothing";
  return refused(`PAYMENT_NOT_${PAST[action]}`, payment, `the payment is ${state}; that allows ${allowed}`, {
    state,
    allowed,
  });
}

/** The payment is settled: all its money is being refunded. */
export function settling(payment: Payment): ConnectError {
  return refused("PAYMENT_SETTLING", payment, "the money of the payment is being refunded");
}

/** The amount exceeds the available one. Metadata has the sums as decimals of `currency_code`. */
export function tooMuch(
  reason: "CAPTURE_EXCEEDS_AUTHORIZED" | "REFUND_EXCEEDS_CAPTURED",
  payment: Payment,
  { wanted, available }: { wanted: bigint; available: bigint },
): ConnectError {
  const { currency } = payment;
  const text = `${amountText(currency, wanted)} was requested, ${amountText(currency, available)} is left`;
  return refused(reason, payment, text, {
    wanted: decimalOf(currency, wanted),
    available: decimalOf(currency, available),
    currency_code: currency,
  });
}

/** The provider rejected the operation. The message is the provider's text. */
export function providerRefused(payment: Payment, message: string): ConnectError {
  return refused("PROVIDER_REFUSED", payment, `${payment.provider} refused: ${message}`, {
    provider: payment.provider,
  });
}

/** A due refund failed: a person must decide. Metadata has the sum as a decimal of `currency_code`. */
export function refundFailed(payment: Payment, left: bigint): ConnectError {
  const { currency } = payment;
  return refused("REFUND_FAILED", payment, `${amountText(currency, left)} could not be refunded`, {
    left: decimalOf(currency, left),
    currency_code: currency,
  });
}

/** The provider holds money that cannot be refunded from here: a person must decide. */
export function moneyLeft(payment: Payment): ConnectError {
  return refused("REFUND_FAILED", payment, `${payment.mismatch}; refund it at the provider`);
}

/** Another operation must end first; the request may be repeated unchanged. */
export function operationRunning(payment: Payment): ConnectError {
  return aborted("OPERATION_IN_PROGRESS", `another operation of ${paymentName(payment)} is running`, {
    retryAfterMs: 500,
  });
}

/** The outcome at the provider is unknown. It is determined in any case; repeating the request waits for it. */
export function providerUnavailable(payment: Payment, cause: unknown): ConnectError {
  return unavailable("PROVIDER_UNAVAILABLE", `${payment.provider} is not responding; the operation will be retried`, {
    cause,
    metadata: { provider: payment.provider },
  });
}

const PAST = { capture: "CAPTURABLE", void: "VOIDABLE", refund: "REFUNDABLE" } as const satisfies Record<
  PaymentAction,
  string
>;

function refused(
  reason: string,
  payment: Payment,
  description: string,
  metadata: Readonly<Record<string, string>> = {},
): ConnectError {
  const subject = paymentName(payment);
  return failedPrecondition(reason, `${subject}: ${description}`, [{ type: reason, subject, description }], metadata);
}
