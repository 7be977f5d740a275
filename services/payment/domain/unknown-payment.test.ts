import { expect, test } from "@jest/globals";
import { somePayment, someRefund } from "../testing/payment-values.ts";
import { mergeReport } from "./merge-report.ts";
import { paymentState } from "./payment.ts";
import { unknownPaymentReport } from "./unknown-payment.ts";

test.each([
  ["unpaid", {}, "FAILED"],
  ["expired", { expired: true }, "EXPIRED"],
  ["authorized", { authorized: 10_000n }, "VOIDED"],
  ["captured", { authorized: 10_000n, captured: 10_000n }, "CAPTURED"],
] as const)("an unknown payment that is %s moves no money", (_, facts, state) => {
  const payment = somePayment(facts);
  const result = mergeReport(payment, [], unknownPaymentReport(payment, []), 9);
  expect(result).toMatchObject({ kind: "merged", movements: [] });
  expect(result.kind === "merged" && paymentState(result.payment)).toBe(state);
});

test("only the refunds that the provider has accepted fail", () => {
  const payment = somePayment({ authorized: 10_000n, captured: 10_000n });
  const refunds = [
    someRefund({ id: "1", reference: "r1" }),
    someRefund({ id: "2" }),
    someRefund({ id: "3", reference: "r3", state: "SUCCEEDED" }),
  ];
  const result = mergeReport(payment, refunds, unknownPaymentReport(payment, refunds), 9);
  expect(result.kind === "merged" && result.refunds.map(({ state }) => state)).toEqual([
    "FAILED",
    "PENDING",
    "SUCCEEDED",
  ]);
});
