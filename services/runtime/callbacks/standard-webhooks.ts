import { type Webhook, WebhookVerificationError } from "standardwebhooks";
import type { RawCallback } from "./callback-source.ts";

/** Verifies a callback signed per https://www.standardwebhooks.com and returns its message id; undefined if invalid. */
export function verifiedMessageId(webhook: Webhook, { header, body }: RawCallback): string | undefined {
  try {
    webhook.verify(Buffer.from(body), Object.fromEntries(header), { jsonParse: false });
    return header.get("webhook-id") ?? undefined;
  } catch (error) {
    if (error instanceof WebhookVerificationError) {
      return undefined;
    }
    throw error;
  }
}
