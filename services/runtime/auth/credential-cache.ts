import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Principal } from "../context-values.ts";
import type { VerifyToken } from "./authenticate.ts";

/** Limits of the cache. */
export interface CredentialCacheOptions {
  /** Time to live of an entry, which bounds how long a revoked credential keeps working. Default 500 ms. */
  readonly ttlMs?: number;
  /** Most entries. Default 10,000. */
  readonly max?: number;
}

/**
 * Caches a verifier and deduplicates concurrent lookups of a token. Tokens are stored as hashes. Only accepted tokens
 * are cached, so a flood of invalid ones evicts nothing.
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
