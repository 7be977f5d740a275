import type { Payment } from "../../gen/docket/payment/v1/payment_pb.js";
import { parseMoney } from "../runtime/values/money.ts";
import type { Funds } from "./domain/payment-state.ts";

/** The funds of a payment, as reported by the payment service. */
export function fundsOf(payment: Payment): Funds {
  return {
    authorized: minorOf(payment.capturableAmount),
    captured: minorOf(payment.capturedAmount),
    refunded: minorOf(payment.refundedAmount),
  };
}

/** Minor units of an amount of a payment; zero if absent. */
export function minorOf(money: Payment["amount"]): bigint {
  return (money && parseMoney(money)?.minor) ?? 0n;
}
