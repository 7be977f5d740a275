import { expect, test } from "@jest/globals";
import { Payment_State } from "../../gen/docket/payment/v1/payment_pb.js";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { createStatementLog } from "../runtime/testing/statement-log.ts";
import type { ProviderReport } from "./domain/provider-report.ts";
import type { OpenRequest, PaymentProvider, ProviderAnswer } from "./providers/payment-provider.ts";
import { eur, startPayments } from "./testing/running-payments.ts";

/** A provider without a database, whose callbacks are the reference of a captured payment, unsigned. */
function createProvider(): PaymentProvider & { readonly opened: ProviderReport[] } {
  const opened: ProviderReport[] = [];
  const report = ({ payment, amount }: OpenRequest): ProviderReport => ({
    ...{ payment, amount, reference: `at-provider/${payment.name}`, authorized: 0n, captured: 0n, refunds: [] },
    ...{ actionRequired: false, failed: false, voided: false },
  });
  const unsupported = async (): Promise<ProviderAnswer> => ({ kind: "refused", message: "unsupported" });
  const provider = {
    name: "memory",
    opened,
    acknowledgement: { contentType: "text/plain", body: "ok" },
    read(body: Uint8Array) {
      const known = opened.find(({ reference }) => reference === Buffer.from(body).toString());
      const { amount } = known ?? {};
      return known === undefined || amount === undefined
        ? { eventType: "captured", problem: "unknown" }
        : { eventType: "captured", content: [{ ...known, authorized: amount.minor, captured: amount.minor }] };
    },
    verify: async ({ body }: { body: Uint8Array }) => ({
      ...provider.read(body),
      eventId: `captured/${Buffer.from(body)}`,
    }),
    async open(request: OpenRequest): Promise<ProviderAnswer> {
      opened.push(report(request));
      return { kind: "done", report: report(request) };
    },
    capture: unsupported,
    void: unsupported,
    refund: unsupported,
    fetch: async () => undefined,
  };
  return provider;
}

describeEachDatabase("the statements of the payment service", (open) => {
  test("are as many for 64 concurrent payments and their callbacks as for one", async () => {
    const log = createStatementLog();
    const { url } = await open();
    const provider = createProvider();
    await using world = await startPayments(
      url,
      { pollMs: 60_000, reconcileAfterMs: 600_000 },
      { providers: [provider], onStatement: log.onStatement },
    );
    const names = Array.from({ length: 64 }, (_, n) => `orders/o${n}/payments/1`);
    // Commands quote with backticks. Workers claim what is due in statements without quotes.
    const count = () =>
      log.count(/`(payments|payment_operations|refunds|payment_movements|inbound_callbacks)`|into outbox_messages/);
    log.clear();

    await Promise.all(names.map((name) => world.payments.openPayment({ name, amount: eur(100), provider: "memory" })));

    // Begin: find the payments; insert them and their operations. Complete: load payments, refunds and operations;
    // update payments and operations. Doubled if the calls span two batches each.
    expect(count()).toBeGreaterThanOrEqual(8);
    expect(count()).toBeLessThanOrEqual(16);
    log.clear();

    await Promise.all(
      provider.opened.map(({ reference }) =>
        world.anybody.receivePaymentCallback({ provider: "memory", body: { data: Buffer.from(reference) } }),
      ),
    );

    // Find payments by name and by reference; refunds and operations; update payments; insert callbacks, movements and
    // events.
    expect(count()).toBeGreaterThanOrEqual(8);
    expect(count()).toBeLessThanOrEqual(16);
    const states = await Promise.all(names.map(async (name) => (await world.get(name)).state));
    expect(new Set(states)).toEqual(new Set([Payment_State.CAPTURED]));
    await world.audit();
  });
});
