import { Webhook } from "standardwebhooks";

/** The body of a webhook. */
export interface WebhookEvent {
  /** The event's type, for example `OrderConfirmed`. */
  readonly type: string;
  /** When it happened, RFC 3339. */
  readonly timestamp: string;
  /** The event's message in proto3 JSON. */
  readonly data: unknown;
}

/**
 * Verifies that a webhook came from Docket and is at most five minutes old, and returns its content.
 *
 * @param body the raw body, before any JSON parser
 * @param headers the request's headers; `webhook-id`, `webhook-timestamp` and `webhook-signature` are read
 * @param secret the endpoint's secret, `whsec_…`; both secrets during rotation
 * @throws Error if the signature is missing, wrong or too old
 */
export function verifyWebhook(
  body: string,
  headers: Headers | Readonly<Record<string, string | string[] | undefined>>,
  secret: string | readonly string[],
): WebhookEvent {
  const own = signatureHeaders(headers);
  let failure: unknown;
  for (const candidate of typeof secret === "string" ? [secret] : secret) {
    try {
      return new Webhook(candidate).verify(body, own) as WebhookEvent;
    } catch (error) {
      failure = error;
    }
  }
  throw failure ?? new Error("no secret to verify the webhook with");
}

function signatureHeaders(headers: Headers | Readonly<Record<string, string | string[] | undefined>>) {
  const all = new Map<string, string>();
  const entries = headers instanceof Headers ? headers.entries() : Object.entries(headers);
  for (const [name, value] of entries) {
    if (typeof value === "string") {
      all.set(name.toLowerCase(), value);
    }
  }
  const names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
  return Object.fromEntries(names.map((name) => [name, all.get(name) ?? ""]));
}
