import { Webhook } from "standardwebhooks";
import type { CallbacksTable } from "./tables.ts";

export interface SignedPostOptions {
  /** Signing secret of requests to a URL, as it was scheduled. */
  readonly secretFor: (url: string) => string;
  readonly baseUrl: () => string;
  readonly timeoutMs: number;
  readonly fetch?: typeof fetch;
}

/** Makes one request; resolves with a description of the failure, or with undefined on a 2xx response. */
export type SignedPost = (row: CallbacksTable, stop: AbortSignal) => Promise<string | undefined>;

/**
 * Creates a POST signed per Standard Webhooks: the signature covers id, time and body; the time is that of the attempt.
 * Redirects are not followed.
 */
export function createSignedPost({
  secretFor,
  baseUrl,
  timeoutMs,
  fetch: send = fetch,
}: SignedPostOptions): SignedPost {
  return async (row, stop) => {
    const webhook = new Webhook(secretFor(row.url));
    const now = new Date();
    try {
      const response = await send(new URL(row.url, baseUrl()), {
        method: "POST",
        redirect: "manual",
        signal: AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]),
        headers: {
          "content-type": row.content_type,
          "webhook-id": row.message_id,
          "webhook-timestamp": Math.floor(now.getTime() / 1000).toString(),
          "webhook-signature": webhook.sign(row.message_id, now, Buffer.from(row.body)),
          ...(row.traceparent !== null && { traceparent: row.traceparent }),
        },
        body: Buffer.from(row.body),
      });
      // The body is discarded, but must be read for the connection to be reused.
      await response.arrayBuffer();
      return response.ok ? undefined : `status ${response.status}`;
    } catch (error) {
      return describe(error);
    }
  };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return `${error.message}${cause}`.slice(0, 1000);
}
