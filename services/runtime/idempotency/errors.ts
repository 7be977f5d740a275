import type { ConnectError } from "@connectrpc/connect";
import { alreadyExists } from "../errors.ts";

/** The key belongs to another request, of the same or another method. */
export function idempotencyKeyReused(requestId: string): ConnectError {
  return alreadyExists(
    "IDEMPOTENCY_KEY_REUSED",
    "the key was used for another request or by another caller; use a new one for this request",
    { request_id: requestId },
  );
}
