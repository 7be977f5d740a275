import { type Webhook, WebhookVerificationError } from "standardwebhooks";
import type { RawCallback } from "./callback-source.ts";

/** The message id of a callback that is signed as https://www.standardwebhooks.com asks; undefined where it is not. */
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
