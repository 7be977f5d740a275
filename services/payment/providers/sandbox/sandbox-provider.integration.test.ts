import { expect, test } from "@jest/globals";
import { Webhook } from "standardwebhooks";
import { describeEachDatabase } from "../../../runtime/testing/databases.ts";
import { until } from "../../../runtime/testing/until.ts";
import { startSandbox } from "../../../sandbox/testing/running-sandbox.ts";
import { describePaymentProvider } from "../payment-provider-suite.ts";
import { createSandboxProvider } from "./sandbox-provider.ts";

const signal = AbortSignal.timeout(60_000);

describeEachDatabase("the sandbox over HTTP", (open) => {
  describePaymentProvider("as a payment provider", async () => {
    const { url: databaseUrl } = await open();
    const sent: { header: Headers; body: Uint8Array }[] = [];
    const sandbox = await startSandbox({
      databaseUrl,
      delayMs: 5,
      lateMs: 50,
      fetch: async (_, init) => {
        sent.push({ header: new Headers(init?.headers), body: init?.body as Uint8Array });
        return new Response();
      },
    });
    const provider = createSandboxProvider(sandbox.provider);
    return {
      provider,
      goodToken: "tok_success",
      badToken: "tok_decline",
      async callback(reference) {
        const about = () =>
          sent.find(({ body }) => {
            const parsed = provider.read(body);
            return "content" in parsed && parsed.content[0]?.reference === reference;
          });
        await until(() => about() !== undefined);
        const callback = about();
        const header = Object.fromEntries(callback?.header ?? []);
        new Webhook(sandbox.paymentSecret).verify(Buffer.from(callback?.body ?? ""), header);
        return callback ?? { header: new Headers(), body: new Uint8Array() };
      },
      async [Symbol.asyncDispose]() {
        provider.close?.();
        await sandbox[Symbol.asyncDispose]();
      },
    };
  });
});

test("a response of another server at the sandbox's address leaves the outcome unknown", async () => {
  await using sandbox = await startSandbox();
  const elsewhere = createSandboxProvider({ ...sandbox.provider, baseUrl: `${sandbox.baseUrl}/elsewhere` });
  await expect(elsewhere.fetch("sbx_1", signal)).rejects.toThrow("The sandbox responded with status 404");
  await expect(elsewhere.void({ key: "k", reference: "sbx_1" }, signal)).rejects.toThrow("status 404");
  elsewhere.close?.();
});

test("a wrong key leaves the outcome unknown", async () => {
  await using sandbox = await startSandbox();
  const stranger = createSandboxProvider({ ...sandbox.provider, apiKey: "sbx_key_other" });
  await expect(stranger.fetch("sbx_1", signal)).rejects.toThrow("The sandbox responded with status 401");
  stranger.close?.();
});

test("a sandbox that is not there yet leaves the outcome unknown", async () => {
  const sandbox = await startSandbox();
  await sandbox[Symbol.asyncDispose]();
  const provider = createSandboxProvider(sandbox.provider);
  await expect(provider.fetch("sbx_1", signal)).rejects.toThrow("ECONNREFUSED");
  provider.close?.();
});
