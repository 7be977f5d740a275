import { expect, test } from "@jest/globals";
import { someOperation, somePayment, someRefund } from "../testing/payment-values.ts";
import { followUps } from "./follow-ups.ts";

const captured = { authorized: 10_000n, captured: 10_000n };

test("a regular payment needs no follow-ups", () => {
  expect(followUps(somePayment(), [], [])).toEqual([]);
  expect(followUps(somePayment(captured), [], [])).toEqual([]);
  expect(followUps(somePayment({ failed: true }), [], [])).toEqual([]);
});

test("a settled payment is voided while it can still be paid", () => {
  expect(followUps(somePayment({ settling: true }), [], [])).toEqual([{ kind: "VOID", amount: 0n }]);
  const authorized = somePayment({ settling: true, authorized: 10_000n });
  expect(followUps(authorized, [], [])).toEqual([{ kind: "VOID", amount: 10_000n }]);
  expect(followUps({ ...authorized, voided: true }, [], [])).toEqual([]);
  expect(followUps(somePayment({ settling: true, reference: undefined }), [], [])).toEqual([]);
});

test("a settled payment refunds captured money, also if captured later", () => {
  const payment = somePayment({ settling: true, ...captured });
  expect(followUps(payment, [], [])).toEqual([{ kind: "REFUND", amount: 10_000n }]);
  expect(followUps(payment, [someRefund({ state: "SUCCEEDED" })], [])).toEqual([{ kind: "REFUND", amount: 9_000n }]);
  const partly = somePayment({ settling: true, authorized: 10_000n, captured: 4_000n });
  expect(followUps(partly, [], [])).toEqual([
    { kind: "VOID", amount: 10_000n },
    { kind: "REFUND", amount: 4_000n },
  ]);
});

test("a pending refund is not repeated", () => {
  const payment = somePayment({ settling: true, ...captured });
  const refund = someRefund({ amount: 10_000n, settlement: true });
  expect(followUps(payment, [refund], [])).toEqual([]);
});

test("a rejected settling refund needs a person, a rejected requested refund is followed up", () => {
  const payment = somePayment({ settling: true, ...captured });
  const failed = someRefund({ amount: 10_000n, state: "FAILED" });
  expect(followUps(payment, [{ ...failed, settlement: true }], [])).toEqual([]);
  expect(followUps(payment, [failed], [])).toEqual([{ kind: "REFUND", amount: 10_000n }]);
});

test("follow-ups wait for a pending opening or capture", () => {
  const payment = somePayment({ settling: true, authorized: 10_000n });
  expect(followUps(payment, [], [someOperation({ kind: "OPEN" })])).toEqual([]);
  expect(followUps(payment, [], [someOperation({ kind: "CAPTURE" })])).toEqual([]);
  expect(followUps(payment, [], [someOperation({ kind: "CAPTURE", state: "DONE" })])).toHaveLength(1);
});

test("a void is tried once, and again after a further authorization", () => {
  const payment = somePayment({ settling: true });
  for (const state of ["PENDING", "DONE", "REFUSED"] as const) {
    expect(followUps(payment, [], [someOperation({ state })])).toEqual([]);
  }
  const refused = [someOperation({ state: "REFUSED" })];
  expect(followUps({ ...payment, authorized: 10_000n }, [], refused)).toEqual([{ kind: "VOID", amount: 10_000n }]);
});

test("an expired payment is voided, and a late payment is kept", () => {
  const payment = somePayment({ expired: true });
  expect(followUps(payment, [], [])).toEqual([{ kind: "VOID", amount: 0n }]);
  expect(followUps({ ...payment, authorized: 10_000n }, [], [])).toEqual([]);
  expect(followUps({ ...payment, ...captured }, [], [])).toEqual([]);
});
