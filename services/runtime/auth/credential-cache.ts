import { createHash } from "node:crypto";
import { untilAborted } from "../../../gateway/call/abort.ts";
import type { Cache, CacheDefinition } from "../cache/cache.ts";
import { sealedCodec } from "../cache/sealed-codec.ts";
import type { Principal } from "../context-values.ts";
import type { VerifyToken } from "./authenticate.ts";

/** A credential has two versions: valid, and ended for good. */
const valid = 1;
const ended = 2;

/** Time limit of a lookup, which several calls share. */
const lookupTimeoutMs = 10_000;

/**
 * Definition of the cache of accepted API keys. `maxAgeMs` bounds how long a revoked key keeps working even if its
 * revocation reaches no other process. With a secret, processes share what they looked up, sealed by it: who can write
 * to the shared level cannot make up a principal.
 */
export function acceptedCredentials(secret: (() => string) | undefined, maxAgeMs = 500): CacheDefinition<Principal> {
  const codec =
    secret === undefined ? undefined : sealedCodec(secret, { encode: principalText, decode: parsePrincipal });
  return { name: "api-keys", maxAgeMs, ...(codec && { codec }) };
}

/** Caches a verifier. Only accepted tokens are cached, so a flood of invalid ones evicts nothing. */
export function cacheAccepted(verify: VerifyToken, cache: Cache<Principal>): VerifyToken {
  return (token, signal) => {
    const found = cache.get(credentialKey(token), async () => {
      const principal = await verify(token, AbortSignal.timeout(lookupTimeoutMs));
      return principal && { version: valid, value: principal };
    });
    return untilAborted(found, signal);
  };
}

/** Drops a revoked credential from the cache. `key` is that of {@link credentialKey}. */
export function endCredential(cache: Cache<Principal>, key: string): Promise<void> {
  return cache.invalidate(key, ended);
}

/** The key of a token in the cache: its SHA-256 in hex, as the token itself must not be stored. */
export function credentialKey(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

function principalText({ scopes, ...others }: Principal): string {
  return JSON.stringify({ ...others, scopes: [...scopes] });
}

function parsePrincipal(text: string): Principal {
  const { scopes, ...others } = JSON.parse(text) as Omit<Principal, "scopes"> & { scopes: string[] };
  return { ...others, scopes: new Set(scopes) };
}
