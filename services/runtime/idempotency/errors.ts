import type { ConnectError } from "@connectrpc/connect";
import { aborted, alreadyExists } from "../errors.ts";

/** Suggested delay before a caller retries a key in progress. */
const IN_PROGRESS_RETRY_MS = 1000;

/** The key belongs to another request, of the same or another method. */
export function idempotencyKeyReused(requestId: string): ConnectError {
  return alreadyExists(
    "IDEMPOTENCY_KEY_REUSED",
    "the key was used for another request or by another caller; use a new one for this request",
    { request_id: requestId },
  );
}

/** Another call with the key is in progress. */
export function requestInProgress(): ConnectError {
  return aborted("REQUEST_IN_PROGRESS", "a request with this key is being carried out", {
    retryAfterMs: IN_PROGRESS_RETRY_MS,
  });
}
