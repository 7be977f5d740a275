import type { ProviderReport, RefundReport } from "../domain/provider-report.ts";
import type { PaymentProvider, ProviderAnswer } from "../providers/payment-provider.ts";

/** The fate of the next calls: the request is lost, the response is lost, or there is no response. */
export type Mishap = "lost request" | "lost answer" | "silence";

/** An in-memory provider that outlives the services under test, authorizes at once, and fails as configured. */
export function createUnreliableProvider(name = "unreliable") {
  const payments = new Map<string, ProviderReport>();
  const keys = new Set<string>();
  const calls: string[] = [];
  const mishaps: Mishap[] = [];
  const control = { refusesRefunds: false };

  /** Runs the effect once per key. */
  const call = async (key: string, signal: AbortSignal, effect: () => ProviderAnswer): Promise<ProviderAnswer> => {
    calls.push(key);
    const mishap = mishaps.shift();
    if (mishap === "lost request") {
      throw new Error("connection refused");
    }
    const answer = effect();
    keys.add(key);
    if (mishap === "lost answer") {
      throw new Error("connection reset");
    }
    if (mishap === "silence") {
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    }
    return answer;
  };

  const change = (reference: string, key: string, next: (report: ProviderReport) => ProviderReport): ProviderAnswer => {
    const report = payments.get(reference);
    if (report === undefined) {
      return { kind: "refused", message: "unknown" };
    }
    const changed = keys.has(key) ? report : next(report);
    payments.set(reference, changed);
    return { kind: "done", report: changed };
  };

  const provider: PaymentProvider = {
    name,
    open: ({ key, payment, amount, captureAutomatically }, signal) =>
      call(key, signal, () => {
        const reference = `ref-${key}`;
        const captured = captureAutomatically ? amount.minor : 0n;
        const opened = { reference, payment, amount, authorized: amount.minor, captured, refunds: [] };
        const report = payments.get(reference) ?? { ...opened, actionRequired: false, failed: false, voided: false };
        payments.set(reference, report);
        return { kind: "done", report };
      }),
    capture: ({ key, reference, amount }, signal) =>
      call(key, signal, () =>
        change(reference, key, (report) => ({ ...report, captured: report.captured + amount.minor })),
      ),
    void: ({ key, reference }, signal) =>
      call(key, signal, () => change(reference, key, (report) => ({ ...report, voided: true }))),
    refund: ({ key, reference, amount, refundId: id }, signal) =>
      call(key, signal, () => {
        if (control.refusesRefunds) {
          return { kind: "refused", message: "the account is closed" };
        }
        const refund: RefundReport = { id, reference: `r-${key}`, amount, state: "SUCCEEDED" };
        return change(reference, key, (report) => ({ ...report, refunds: [...report.refunds, refund] }));
      }),
    fetch: async (reference) => payments.get(reference),
    verify: async () => undefined,
    read: () => ({ eventType: "", content: [] }),
    acknowledgement: { contentType: "text/plain", body: "ok" },
  };
  return {
    provider,
    payments,
    calls,
    mishaps,
    control,
  };
}
