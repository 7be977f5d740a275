import { describe, expect, test } from "@jest/globals";
import { Webhook } from "standardwebhooks";
import { verifyWebhook } from "./webhooks.ts";

const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const other = `whsec_${Buffer.alloc(32, 8).toString("base64")}`;
const body = JSON.stringify({ type: "OrderConfirmed", timestamp: "2026-01-01T00:00:00Z", data: { order: {} } });

function signed(at = new Date(), key = secret) {
  return {
    "Webhook-Id": "evt_1",
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(key).sign("evt_1", at, body),
  };
}

describe("verifyWebhook", () => {
  test("answers what a signed webhook says, whatever the headers' form", () => {
    expect(verifyWebhook(body, signed(), secret).type).toBe("OrderConfirmed");
    expect(verifyWebhook(body, new Headers(signed()), secret).type).toBe("OrderConfirmed");
  });

  test("accepts either secret while one is being rotated", () => {
    expect(verifyWebhook(body, signed(), [other, secret]).type).toBe("OrderConfirmed");
  });

  test.each([
    ["a changed body", `${body} `, signed(), secret],
    ["another secret", body, signed(), other],
    ["an old message", body, signed(new Date(Date.now() - 6 * 60_000)), secret],
    ["no headers", body, {}, secret],
    ["no secret", body, signed(), []],
  ])("refuses %s", (_what, text, headers, key) => {
    expect(() => verifyWebhook(text, headers, key)).toThrow();
  });
});
