import { Webhook } from "standardwebhooks";
import { migrate } from "../../../runtime/db/migrate.ts";
import { createLogger } from "../../../runtime/telemetry/log.ts";
import { describeEachDatabase } from "../../../runtime/testing/databases.ts";
import { systemClock } from "../../../runtime/values/clock.ts";
import { createIds } from "../../../runtime/values/ids.ts";
import { createWebhookSender } from "../../../runtime/webhooks/webhook-sender.ts";
import { migrations } from "../../db/migrations.ts";
import type { LogisticsDatabase } from "../../db/schema.ts";
import { describeCarrier } from "../carrier-suite.ts";
import { createSandboxCarrier } from "./sandbox-carrier.ts";

const secret = `whsec_${Buffer.alloc(32, 3).toString("base64")}`;
const webhook = new Webhook(secret);
const ids = createIds(systemClock);
const log = createLogger({ level: "silent", name: "test" });

function signed(trackingNumber: string) {
  const event = { status: "in_transit", message: "", location: "", occurred_at: "2026-01-01T00:00:00.000Z" };
  const body = JSON.stringify({ id: "e1", tracking_number: trackingNumber, ...event });
  const now = new Date();
  const headers = {
    "webhook-id": "e1",
    "webhook-timestamp": `${Math.floor(now.getTime() / 1000)}`,
    "webhook-signature": webhook.sign("e1", now, body),
  };
  return { header: new Headers(headers), body: new TextEncoder().encode(body) };
}

describeEachDatabase("the sandbox", (open) => {
  describeCarrier("sandbox", async () => {
    const db = await open<LogisticsDatabase>();
    await migrate(db, migrations);
    const callbacks = createWebhookSender({ db, ids, log, secret, baseUrl: () => "http://docket.test" });
    const carrier = createSandboxCarrier({ db, callbacks, clock: systemClock, ids, secret, stepMs: 60_000 });
    return {
      carrier,
      restingService: "standard",
      collectedService: "deliver_now",
      refusedService: "refuse",
      signed,
      [Symbol.asyncDispose]: () => callbacks[Symbol.asyncDispose](),
    };
  });
});
