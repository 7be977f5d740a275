import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { addressKey } from "../../../gateway/http/client-address.ts";
import type { Authenticate } from "../auth/authenticate.ts";
import { tooManyFailedAuthentications } from "../errors.ts";
import type { RateLimiter } from "./rate-limiter.ts";

/** Most recently accepted credentials to remember, which are exempt from the limit. */
const maxKnown = 10_000;
const knownForMs = 60 * 60_000;

/**
 * Limits failed authentications per client address, unless `limiter` returns undefined. Above the limit, rejects with RESOURCE_EXHAUSTED without looking
 * the credential up. Credentials accepted within the last hour are exempt, so that clients behind one address do not
 * lock each other out.
 */
export function limitFailedAuthentications(
  authenticate: Authenticate,
  limiter: () => RateLimiter | undefined,
): Authenticate {
  const known = new LRUCache<string, true>({ max: maxKnown, ttl: knownForMs });
  return async (credential, header, signal, clientAddress) => {
    const failures = limiter();
    if (clientAddress === "" || failures === undefined) {
      return authenticate(credential, header, signal, clientAddress);
    }
    const address = addressKey(clientAddress);
    const id = createHash("sha256").update(`${credential.scheme} ${credential.token}`).digest("base64");
    const quota = await failures.look(address);
    if (!quota.allowed && !known.has(id)) {
      throw tooManyFailedAuthentications(clientAddress, quota.resetMs);
    }
    const principal = await authenticate(credential, header, signal, clientAddress);
    if (principal === undefined) {
      known.delete(id);
      await failures.use(address);
    } else {
      known.set(id, true);
    }
    return principal;
  };
}
