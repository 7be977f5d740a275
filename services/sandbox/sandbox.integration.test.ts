import { Code, type ConnectError } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { type RunningSandbox, startSandbox } from "./testing/running-sandbox.ts";

const merchant = ({ apiKey }: RunningSandbox) => ({ headers: { authorization: `Bearer ${apiKey}` } });
const expireTime = { seconds: 4_000_000_000n, nanos: 0 };
const opening = (paymentToken: string, requestId = "k1") => ({
  requestId,
  payment: { tenant: "t1", name: "orders/o1/payments/1" },
  amount: { currency: "EUR", minor: 10_000n },
  paymentToken,
  expireTime,
});

describeEachDatabase("the sandbox", (open) => {
  test("requires its key of merchants, and none of shoppers", async () => {
    const { url: databaseUrl } = await open();
    await using sandbox = await startSandbox({ databaseUrl });
    const { payments, carriers } = sandbox;
    const reference = "r";
    for (const headers of [{}, { authorization: "Bearer wrong" }, { authorization: sandbox.apiKey }]) {
      const calls = [
        payments.createSandboxPayment(opening("tok_success"), { headers }),
        payments.getSandboxPayment({ reference }, { headers }),
        payments.captureSandboxPayment({ reference, requestId: "k", minor: 1n }, { headers }),
        payments.voidSandboxPayment({ reference, requestId: "k" }, { headers }),
        payments.refundSandboxPayment({ reference, requestId: "k", minor: 1n, refundId: "1" }, { headers }),
        carriers.bookSandboxParcel({ reference }, { headers }),
        carriers.cancelSandboxParcel({ reference }, { headers }),
        carriers.trackSandboxParcel({ reference }, { headers }),
      ];
      const outcomes = await Promise.allSettled<unknown>(calls);
      const codes = outcomes.map((outcome) => outcome.status === "rejected" && (outcome.reason as ConnectError).code);
      expect(codes).toEqual(Array(8).fill(Code.Unauthenticated));
    }
    expect(await sandbox.db.kysely.selectFrom("payments").selectAll().execute()).toEqual([]);
    expect(await sandbox.db.kysely.selectFrom("parcels").selectAll().execute()).toEqual([]);

    const { payment } = await payments.createSandboxPayment(opening("tok_action"), merchant(sandbox));
    const clientSecret = payment?.clientSecret ?? "";
    expect((await payments.getSandboxPaymentPage({ clientSecret })).contentType).toBe("text/html; charset=utf-8");
    await payments.completeSandboxPayment({ clientSecret });
    const paid = await payments.getSandboxPayment({ reference: payment?.reference ?? "" }, merchant(sandbox));
    expect(paid.authorized).toBe(10_000n);
  });

  test("keeps no token but its own, so no text of a shopper", async () => {
    const { url: databaseUrl } = await open();
    await using sandbox = await startSandbox({ databaseUrl });
    for (const [i, token] of ["", "tok_success", "ada@example.com"].entries()) {
      await sandbox.payments.createSandboxPayment(opening(token, `k${i}`), merchant(sandbox));
    }
    const rows = await sandbox.db.kysely.selectFrom("payments").select("token").orderBy("open_key").execute();
    expect(rows.map(({ token }) => token)).toEqual(["tok_action", "tok_success", "unknown"]);
  });
});
