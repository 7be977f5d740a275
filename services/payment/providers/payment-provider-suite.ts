import { describe, expect, test } from "@jest/globals";
import type { ProviderReport } from "../domain/provider-report.ts";
import type { PaymentProvider, ProviderAnswer } from "./payment-provider.ts";

/** A provider under test, with test hooks that the port does not offer. */
export interface ProviderUnderTest extends AsyncDisposable {
  readonly provider: PaymentProvider;
  /** A payment token that authorizes, and captures with automatic capture. */
  readonly goodToken: string;
  /** A payment token that is declined. */
  readonly badToken: string;
  /** A callback about the payment's current state, as the provider itself would send it. */
  callback(reference: string): Promise<{ header: Headers; body: Uint8Array }>;
}

const amount = { currency: "EUR", minor: 10_000n };
const signal = AbortSignal.timeout(60_000);

/** Contract tests of payment providers; see `PaymentProvider`. */
export function describePaymentProvider(name: string, create: () => Promise<ProviderUnderTest>): void {
  describe(name, () => {
    let nth = 0;
    const opening = (paymentToken: string, captureAutomatically = false) => {
      const payment = { tenant: "t1", name: `orders/o${++nth}/payments/1` };
      const expireTime = new Date(Date.now() + 3_600_000);
      return { key: `${payment.name}/open`, payment, amount, paymentToken, captureAutomatically, expireTime };
    };
    const openAndWait = async ({ provider, goodToken }: ProviderUnderTest, captureAutomatically = false) => {
      const opened = done(await provider.open(opening(goodToken, captureAutomatically), signal));
      const isPaid = (report: ProviderReport) =>
        (captureAutomatically ? report.captured : report.authorized) === amount.minor;
      return standsAs(provider, opened.reference, isPaid);
    };

    test("opens a payment once under a key, and stores our name with it", async () => {
      await using under = await create();
      const { provider, goodToken } = under;
      const request = opening(goodToken);
      const [a, b] = await Promise.all([provider.open(request, signal), provider.open(request, signal)]);
      const again = done(await provider.open(request, signal));
      expect(new Set([done(a).reference, done(b).reference, again.reference]).size).toBe(1);
      expect(again).toMatchObject({ amount, payment: request.payment, captured: 0n, failed: false });
    });

    test("reports a declined payment as failed, with the reason", async () => {
      await using under = await create();
      const opened = done(await under.provider.open(opening(under.badToken), signal));
      const failed = await standsAs(under.provider, opened.reference, (report) => report.failed);
      expect(failed.failureMessage).not.toBe("");
      expect(failed.authorized).toBe(0n);
    });

    test("captures automatically if requested", async () => {
      await using under = await create();
      expect(await openAndWait(under, true)).toMatchObject({ authorized: 10_000n, captured: 10_000n });
    });

    test("captures once under a key, in parts, up to the authorized amount", async () => {
      await using under = await create();
      const { reference } = await openAndWait(under);
      const capture = { key: `${reference}/c1`, reference, amount: { ...amount, minor: 4_000n } };
      const twice = await Promise.all([
        under.provider.capture(capture, signal),
        under.provider.capture(capture, signal),
      ]);
      expect(twice.map((answer) => done(answer).captured)).toEqual([4_000n, 4_000n]);
      const tooMuch = { key: `${reference}/c2`, reference, amount: { ...amount, minor: 6_001n } };
      expect(await under.provider.capture(tooMuch, signal)).toMatchObject({ kind: "refused" });
      const rest = { key: `${reference}/c3`, reference, amount: { ...amount, minor: 6_000n } };
      expect(done(await under.provider.capture(rest, signal)).captured).toBe(10_000n);
    });

    test("voids the uncaptured amount, repeatedly, and captures nothing afterwards", async () => {
      await using under = await create();
      const { reference } = await openAndWait(under);
      expect(done(await under.provider.void({ key: `${reference}/v1`, reference }, signal)).voided).toBe(true);
      expect(done(await under.provider.void({ key: `${reference}/v1`, reference }, signal)).voided).toBe(true);
      const capture = { key: `${reference}/c1`, reference, amount };
      expect(await under.provider.capture(capture, signal)).toMatchObject({ kind: "refused" });
    });

    test("rejects voiding a captured payment, and reports its state", async () => {
      await using under = await create();
      const { reference } = await openAndWait(under, true);
      const answer = await under.provider.void({ key: `${reference}/v1`, reference }, signal);
      expect(answer).toMatchObject({ kind: "refused", report: { captured: 10_000n, voided: false } });
    });

    test("refunds once under a key, repeats our id of the refund, and refunds at most the captured amount", async () => {
      await using under = await create();
      const { reference } = await openAndWait(under, true);
      const refund = {
        key: `${reference}/r1`,
        reference,
        amount: { ...amount, minor: 3_000n },
        refundId: "1",
        reason: "",
      };
      const answers = await Promise.all([under.provider.refund(refund, signal), under.provider.refund(refund, signal)]);
      expect(new Set(answers.map((answer) => done(answer).refunds[0]?.reference)).size).toBe(1);
      const after = await standsAs(under.provider, reference, (report) => report.refunds[0]?.state !== "PENDING");
      expect(after.refunds).toMatchObject([{ id: "1", amount: { ...amount, minor: 3_000n }, state: "SUCCEEDED" }]);
      const tooMuch = { ...refund, key: `${reference}/r2`, refundId: "2", amount: { ...amount, minor: 7_001n } };
      expect(await under.provider.refund(tooMuch, signal)).toMatchObject({ kind: "refused" });
    });

    test("rejects operations on an unknown payment", async () => {
      await using under = await create();
      expect(await under.provider.fetch("nothing", signal)).toBeUndefined();
      expect(await under.provider.void({ key: "v", reference: "nothing" }, signal)).toMatchObject({ kind: "refused" });
    });

    test("verifies its own callbacks, and reads the payment's state from them", async () => {
      await using under = await create();
      const { reference } = await openAndWait(under, true);
      const callback = await under.callback(reference);
      const verified = await under.provider.verify(callback);
      expect(verified?.eventId).toBeTruthy();
      expect(await under.provider.verify(callback)).toEqual(verified);
      expect(verified).toMatchObject({ content: [{ reference, amount, captured: 10_000n }] });
      expect(verified).toMatchObject(under.provider.read(callback.body));
    });

    test("rejects a callback with a changed byte or without its headers", async () => {
      await using under = await create();
      const { reference } = await openAndWait(under, true);
      const { header, body } = await under.callback(reference);
      const changed = Buffer.from(body);
      changed[changed.length - 2] = (changed[changed.length - 2] ?? 0) ^ 1;
      expect(await under.provider.verify({ header, body: changed })).toBeUndefined();
      expect(await under.provider.verify({ header, body: new Uint8Array() })).toBeUndefined();
      expect(await under.provider.verify({ header: new Headers(), body })).toBeUndefined();
    });

    test("reports an unreadable body as a problem", async () => {
      await using under = await create();
      for (const body of ["", "{", "[]", '{"payment":{}}', '{"payment":{"reference":1}}']) {
        const parsed = under.provider.read(Buffer.from(body));
        expect("content" in parsed ? parsed.content : []).toEqual([]);
      }
    });
  });
}

/** Polls until the report matches. */
async function standsAs(
  provider: PaymentProvider,
  reference: string,
  condition: (report: ProviderReport) => boolean,
): Promise<ProviderReport> {
  for (let i = 0; i < 500; i++) {
    const report = await provider.fetch(reference, signal);
    if (report !== undefined && condition(report)) {
      return report;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`${reference} does not come to stand as it should`);
}

function done(answer: ProviderAnswer): ProviderReport {
  if (answer.kind !== "done") {
    throw new Error(`refused: ${answer.message}`);
  }
  return answer.report;
}
