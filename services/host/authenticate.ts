import type { ApiKeyService } from "../../gen/docket/operations/v1/api_key_service_pb.js";
import { type Authenticate, createAuthenticate, type VerifyToken } from "../runtime/auth/authenticate.ts";
import { cacheAccepted } from "../runtime/auth/credential-cache.ts";
import { createJwtVerifier } from "../runtime/auth/jwt.ts";
import type { Cache } from "../runtime/cache/cache.ts";
import type { ServiceClient } from "../runtime/call/service-client.ts";
import type { Live } from "../runtime/config/live.ts";
import type { Principal } from "../runtime/context-values.ts";
import { limitFailedAuthentications } from "../runtime/limits/failed-authentications.ts";
import type { HostConfig } from "./config.ts";
import { type CreateLimiter, unlessZero } from "./request-limits.ts";

export interface AuthenticationParts {
  /** Verifies the tokens of other processes. */
  readonly service: VerifyToken | undefined;
  /** The cache of accepted API keys, see `acceptedCredentials`. */
  readonly accepted: Cache<Principal>;
  readonly createLimiter: CreateLimiter;
}

/** Creates authentication by API keys, by JWTs if an issuer is configured, and by service tokens of other processes. */
export function createAuthentication(
  operations: ServiceClient<typeof ApiKeyService>,
  config: Live<HostConfig>,
  { service, accepted, createLimiter }: AuthenticationParts,
): Authenticate {
  const apiKey = cacheAccepted(async (token, signal) => {
    const { apiKey: found } = await operations.for("").authenticateApiKey({ key: token }, { signal });
    return found && { kind: "api_key", tenant: found.tenant, subject: found.name, scopes: new Set(found.scopes) };
  }, accepted);
  const jwt = jwtVerifier(config.current);
  const authenticate = createAuthenticate({ apiKey, ...(jwt && { jwt }), ...(service && { service }) });
  return limitFailedAuthentications(
    authenticate,
    unlessZero(createLimiter, "failed-authentications", () => config.current.failedAuthLimit),
  );
}

function jwtVerifier(config: HostConfig): VerifyToken | undefined {
  const { jwtIssuer, jwtAudience, jwtKeysUrl } = config;
  if (jwtIssuer === undefined || jwtAudience === undefined || jwtKeysUrl === undefined) {
    return undefined;
  }
  return createJwtVerifier({
    keys: new URL(jwtKeysUrl),
    issuer: jwtIssuer,
    audience: jwtAudience,
    maxLifetimeMs: config.jwtMaxLifetimeMs,
    grantsPlatformAdmin: config.jwtPlatformAdmin,
  });
}
