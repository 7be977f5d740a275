import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { somePayment, someRefund, someReport } from "../testing/payment-values.ts";
import { mergeReport } from "./merge-report.ts";
import { MOVEMENT_KINDS, type Movement, type Payment, paymentState, type Refund, sumOf } from "./payment.ts";
import { type Merged, then, withRefunds } from "./payment-change.ts";
import type { ProviderReport } from "./provider-report.ts";
import { REFUND_STATES } from "./refund-state.ts";
import { expire, refuse, settle } from "./settlement.ts";

function merged(payment: Payment, refunds: readonly Refund[], report: ProviderReport): Merged {
  const result = mergeReport(payment, refunds, report, 9);
  if (result.kind !== "merged") {
    throw new Error(result.problem);
  }
  return result;
}

test("a capture implies its authorization and is published as one change", () => {
  const result = merged(somePayment(), [], someReport({ captured: 10_000n }));
  expect(result.payment).toMatchObject({ authorized: 10_000n, captured: 10_000n });
  expect(result.movements).toEqual([
    { kind: "AUTHORIZATION", amount: 10_000n },
    { kind: "CAPTURE", amount: 10_000n },
  ]);
  expect(result.changes).toEqual([{ kind: "captured" }]);
});

test("an older report changes nothing", () => {
  const { payment } = merged(somePayment(), [], someReport({ authorized: 10_000n, captured: 4_000n }));
  const again = merged(payment, [], someReport({ authorized: 10_000n, captured: 2_500n }));
  expect(again).toMatchObject({ changed: false, movements: [], changes: [] });
  expect(again.payment).toEqual(payment);
});

test("a further partial capture is published and booked by its difference", () => {
  const first = merged(somePayment(), [], someReport({ authorized: 10_000n, captured: 4_000n }));
  const second = merged(first.payment, [], someReport({ authorized: 10_000n, captured: 7_000n }));
  expect(second.movements).toEqual([{ kind: "CAPTURE", amount: 3_000n }]);
  expect(second.changes).toEqual([{ kind: "captured" }]);
});

test.each([
  ["another currency", { amount: { currency: "USD", minor: 10_000n } }, "the currency is USD, expected EUR"],
  ["another payment", { reference: "other" }, "the provider's id is other, expected ref"],
  ["less than nothing", { authorized: -1n }, "-0.01 EUR authorized of 100.00 EUR"],
])("a report of %s is refused", (_, report, problem) => {
  const result = mergeReport(somePayment(), [], someReport(report), 9);
  expect(result).toMatchObject({ kind: "mismatch", problem, merged: { changed: false } });
});

test("an excess amount is booked as reported", () => {
  const report = someReport({ amount: { currency: "EUR", minor: 15_000n }, captured: 15_000n });
  const { payment, movements, changes } = merged(somePayment(), [], report);
  expect(payment).toMatchObject({ amount: 10_000n, authorized: 15_000n, captured: 15_000n, mismatch: "" });
  expect(movements).toContainEqual({ kind: "CAPTURE", amount: 15_000n });
  expect(changes).toEqual([{ kind: "captured" }]);
});

test("money of another currency or of another payment at the provider is recorded on the payment, once", () => {
  for (const more of [{ amount: { currency: "USD", minor: 10_000n } }, { reference: "other" }]) {
    const result = mergeReport(somePayment(), [], someReport({ ...more, captured: 10_000n }), 9);
    const noted = result.kind === "mismatch" ? result.merged : undefined;
    expect(noted).toMatchObject({ changed: true, movements: [], changes: [{ kind: "mismatched" }] });
    expect(noted?.payment).toMatchObject({
      captured: 0n,
      mismatch: expect.stringMatching(/ 100\.00 (EUR|USD) captured/),
    });
    const again = mergeReport(noted?.payment ?? somePayment(), [], someReport({ ...more, captured: 12_000n }), 9);
    expect(again).toMatchObject({ kind: "mismatch", merged: { changed: false, changes: [] } });
  }
});

test("a refund that is reported before its capture has to wait", () => {
  const refunds = [{ reference: "r", amount: { currency: "EUR", minor: 500n }, state: "SUCCEEDED" as const }];
  expect(mergeReport(somePayment(), [], someReport({ refunds }), 9)).toMatchObject({ kind: "early" });
});

test("a refund that was made at the provider is adopted", () => {
  const report = someReport({
    captured: 10_000n,
    refunds: [{ reference: "r7", amount: { currency: "EUR", minor: 500n }, state: "SUCCEEDED" }],
  });
  const result = merged(somePayment(), [], report);
  expect(result.refunds).toMatchObject([{ id: "x-r7", amount: 500n, state: "SUCCEEDED" }]);
  expect(result.payment.refunded).toBe(500n);
  expect(result.changes.map(({ kind }) => kind)).toEqual(["captured", "refunded"]);
});

test("a refund whose amount differs from ours is rejected", () => {
  const payment = somePayment({ authorized: 10_000n, captured: 10_000n });
  const report = someReport({
    captured: 10_000n,
    refunds: [{ id: "1", reference: "r", amount: { currency: "EUR", minor: 999n }, state: "PENDING" }],
  });
  expect(mergeReport(payment, [someRefund()], report, 9)).toMatchObject({ kind: "mismatch" });
});

test("a report about a refund alone needs no totals, and its currency is checked", () => {
  const payment = somePayment({ authorized: 10_000n, captured: 10_000n });
  const heard = (currency: string): ProviderReport => {
    const { amount: _, ...report } = someReport();
    return {
      ...report,
      refunds: [{ id: "1", reference: "r", amount: { currency, minor: 1_000n }, state: "SUCCEEDED" }],
    };
  };
  expect(merged(payment, [someRefund()], heard("EUR")).payment.refunded).toBe(1_000n);
  expect(mergeReport(payment, [someRefund()], heard("USD"), 9)).toMatchObject({ kind: "mismatch" });
});

test("a refund that the bank returns is deducted from the refunded sum", () => {
  const payment = somePayment({ authorized: 10_000n, captured: 10_000n });
  const heard = (state: "SUCCEEDED" | "FAILED") =>
    someReport({
      captured: 10_000n,
      refunds: [{ id: "1", reference: "r", amount: { currency: "EUR", minor: 1_000n }, state }],
    });
  const done = merged(payment, [someRefund()], heard("SUCCEEDED"));
  expect(done.changes).toMatchObject([{ kind: "refunded", refund: { id: "1" } }]);
  const back = merged(done.payment, done.refunds, heard("FAILED"));
  expect(back.payment.refunded).toBe(0n);
  expect(back.movements).toEqual([{ kind: "REFUND", amount: -1_000n }]);
  expect(back.changes).toMatchObject([{ kind: "refund-failed", refund: { state: "FAILED" } }]);
});

test("an authorization that is reported after the void is booked but not published", () => {
  const payment = somePayment({ voided: true });
  const result = merged(payment, [], someReport({ authorized: 10_000n }));
  expect(paymentState(result.payment)).toBe("VOIDED");
  expect(result.changes).toEqual([]);
  expect(result.movements).toEqual([{ kind: "AUTHORIZATION", amount: 10_000n }]);
});

test("a late payment of an expired payment is published as paid", () => {
  const { payment } = expire(somePayment(), []);
  expect(paymentState(payment)).toBe("EXPIRED");
  const late = merged(payment, [], someReport({ captured: 10_000n }));
  expect(paymentState(late.payment)).toBe("CAPTURED");
  expect(late.changes).toEqual([{ kind: "captured" }]);
});

test("expiry, failure and settlement are published once", () => {
  const expired = expire(somePayment(), []);
  expect(expired.changes).toEqual([{ kind: "expired" }]);
  expect(expire(expired.payment, []).changed).toBe(false);
  const refused = refuse(somePayment(), [], "no");
  expect(refused).toMatchObject({ changes: [{ kind: "failed" }], payment: { failureMessage: "no" } });
  const settled = settle(somePayment(), [], "cancelled");
  expect(settled).toMatchObject({ changed: true, changes: [], payment: { settleReason: "cancelled" } });
  expect(settle(settled.payment, [], "again").changed).toBe(false);
});

test("consecutive changes add up", () => {
  const first = merged(somePayment(), [], someReport({ captured: 10_000n }));
  const both = then(first, withRefunds(first.payment, first.refunds, [someRefund()]));
  expect(both).toMatchObject({ changed: true, changes: [{ kind: "captured" }], refunds: [{ id: "1" }] });
  expect(both.movements).toHaveLength(2);
});

/** Generates reports as a provider makes them during a payment: sums never fall, and captures are authorized. */
const history = fc
  .array(
    fc.record({
      authorized: fc.bigInt(0n, 10_000n),
      captured: fc.bigInt(0n, 10_000n),
      failed: fc.boolean(),
      voided: fc.boolean(),
      actionRequired: fc.boolean(),
      refund: fc.option(fc.record({ nth: fc.nat(2), state: fc.constantFrom(...REFUND_STATES) })),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((steps) =>
    steps.map(({ refund, ...step }) =>
      someReport({
        ...step,
        captured: refund ? 10_000n : step.captured,
        refunds: refund
          ? [{ reference: `r${refund.nth}`, amount: { currency: "EUR", minor: 1_000n }, state: refund.state }]
          : [],
      }),
    ),
  );

test("repeated and reordered reports end in the same payment, with the same sums in the ledger", () => {
  const shuffled = history.chain((reports) =>
    fc.tuple(
      fc.constant(reports),
      fc.shuffledSubarray([...reports, ...reports, ...reports], {
        minLength: 3 * reports.length,
        maxLength: 3 * reports.length,
      }),
    ),
  );
  fc.assert(
    fc.property(shuffled, ([reports, others]) => {
      const run = (all: readonly ProviderReport[]) => {
        let payment = somePayment();
        let refunds: readonly Refund[] = [];
        const movements: Movement[] = [];
        for (const report of all) {
          const result = merged(payment, refunds, report);
          payment = result.payment;
          refunds = result.refunds;
          movements.push(...result.movements);
        }
        const booked = MOVEMENT_KINDS.map((kind) => sumOf(movements.filter((it) => it.kind === kind)));
        expect(booked).toEqual([payment.authorized, payment.captured, payment.refunded]);
        return { payment, refunds: [...refunds].sort((a, b) => (a.id < b.id ? -1 : 1)) };
      };
      expect(run(others)).toEqual(run(reports));
    }),
    { numRuns: 300 },
  );
});
