import { Webhook } from "standardwebhooks";
import { migrate } from "../../../runtime/db/migrate.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";
import { describeEachDatabase } from "../../../runtime/testing/databases.ts";
import { until } from "../../../runtime/testing/until.ts";
import { systemClock } from "../../../runtime/values/clock.ts";
import { createIds } from "../../../runtime/values/ids.ts";
import { createWebhookSender } from "../../../runtime/webhooks/webhook-sender.ts";
import { migrations } from "../../db/migrations.ts";
import type { PaymentDatabase } from "../../db/schema.ts";
import { describePaymentProvider } from "../payment-provider-suite.ts";
import { createSandboxProvider } from "./sandbox-provider.ts";

const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const ids = createIds(systemClock);
const log = createLogger({ level: "silent", name: "test" });

describeEachDatabase("the sandbox", (open) => {
  describePaymentProvider("as a payment provider", async () => {
    const db = await open<PaymentDatabase>();
    await migrate(db, migrations);
    const sent: { header: Headers; body: Uint8Array }[] = [];
    const sender = createWebhookSender({
      db,
      ids,
      log,
      secret,
      baseUrl: () => "http://localhost",
      pollMs: 20,
      fetch: async (_, init) => {
        sent.push({ header: new Headers(init?.headers), body: init?.body as Uint8Array });
        return new Response();
      },
    });
    sender.start();
    const publicUrl = () => "http://localhost";
    const provider = createSandboxProvider({ db, ids, sender, secret, publicUrl, delayMs: 5, lateMs: 50 });
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
        new Webhook(secret).verify(Buffer.from(callback?.body ?? ""), Object.fromEntries(callback?.header ?? []));
        return callback ?? { header: new Headers(), body: new Uint8Array() };
      },
      async [Symbol.asyncDispose]() {
        await sender[Symbol.asyncDispose]();
        await db[Symbol.asyncDispose]();
      },
    };
  });
});
