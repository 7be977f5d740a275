import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Principal } from "../context-values.ts";
import type { VerifyToken } from "./authenticate.ts";

/** How long and how much is remembered. */
export interface CredentialCacheOptions {
  /** For how long an answer is believed; a revoked credential works no longer than this. Default 500 ms. */
  readonly ttlMs?: number;
  /** How many credentials at the most. Default 10,000. */
  readonly max?: number;
}

/**
 * The same, asking once for all calls that show one token within a moment. Tokens are kept as hashes; only accepted ones
 * are remembered, so that a flood of wrong ones pushes nobody out.
 */
export function cacheAccepted(
  verify: VerifyToken,
  { ttlMs = 500, max = 10_000 }: CredentialCacheOptions = {},
): VerifyToken {
  const accepted = new LRUCache<string, Principal>({ max, ttl: ttlMs });
  return async (token, signal) => {
    const key = createHash("sha256").update(token).digest("base64");
    const known = accepted.get(key);
    if (known !== undefined) {
      return known;
    }
    const principal = await verify(token, signal);
    if (principal !== undefined) {
      accepted.set(key, principal);
    }
    return principal;
  };
}
