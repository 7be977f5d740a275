import type { ApiKeyService } from "../../gen/docket/operations/v1/api_key_service_pb.js";
import { type Authenticate, createAuthenticate, type VerifyToken } from "../runtime/auth/authenticate.ts";
import { cacheAccepted } from "../runtime/auth/credential-cache.ts";
import { createJwtVerifier } from "../runtime/auth/jwt.ts";
import type { ServiceClient } from "../runtime/call/service-client.ts";
import type { Live } from "../runtime/config/live.ts";
import { limitFailedAuthentications } from "../runtime/limits/failed-authentications.ts";
import type { HostConfig } from "./config.ts";
import { perMinute } from "./request-limits.ts";

/** Creates authentication by API keys, by JWTs if an issuer is configured, and by service tokens of other processes. */
export function createAuthentication(
  operations: ServiceClient<typeof ApiKeyService>,
  config: Live<HostConfig>,
  service: VerifyToken | undefined,
): Authenticate {
  const apiKey = cacheAccepted(async (token, signal) => {
    const { apiKey: found } = await operations.for("").authenticateApiKey({ key: token }, { signal });
    return found && { kind: "api_key", tenant: found.tenant, subject: found.name, scopes: new Set(found.scopes) };
  });
  const jwt = jwtVerifier(config.current);
  const authenticate = createAuthenticate({ apiKey, ...(jwt && { jwt }), ...(service && { service }) });
  return limitFailedAuthentications(
    authenticate,
    perMinute(() => config.current.failedAuthLimit),
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
