import { createLocalJWKSet, createRemoteJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import type { Principal } from "../context-values.ts";
import { unavailable } from "../errors.ts";
import type { VerifyToken } from "./authenticate.ts";

export interface JwtOptions {
  /** The issuer's keys: their address, asked again when a token names an unknown key, or the keys themselves. */
  readonly keys: URL | JSONWebKeySet;
  /** What `iss` must be. */
  readonly issuer: string;
  /** What `aud` must be or contain. */
  readonly audience: string;
  /** Default: RS256, PS256, ES256, EdDSA. Never a symmetric one: then whoever can verify could sign. */
  readonly algorithms?: readonly string[];
  /** The claim that names the tenant. Default `tenant`. */
  readonly tenantClaim?: string;
}

const defaultAlgorithms = ["RS256", "PS256", "ES256", "EdDSA"];
/** For clocks of two machines that do not quite agree. */
const clockToleranceSeconds = 5;

/**
 * Verifies JWTs: signature by a key of the issuer and one of the allowed algorithms, `iss`, `aud`, `exp`, `nbf`. The
 * principal's subject is `sub`, its tenant the tenant claim (both required, as is `exp`), its scopes the words of
 * `scope` (RFC 8693) or the elements of `scp`.
 */
export function createJwtVerifier(options: JwtOptions): VerifyToken {
  const keys = options.keys instanceof URL ? createRemoteJWKSet(options.keys) : createLocalJWKSet(options.keys);
  const tenantClaim = options.tenantClaim ?? "tenant";
  const expectations = {
    issuer: options.issuer,
    audience: options.audience,
    algorithms: [...(options.algorithms ?? defaultAlgorithms)],
    requiredClaims: ["sub", "exp", tenantClaim],
    clockTolerance: clockToleranceSeconds,
  };
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, expectations);
      return principalOf(payload, tenantClaim);
    } catch (error) {
      if (error instanceof errors.JOSEError && refusals.has(error.code)) {
        return undefined;
      }
      throw unavailable("IDENTITY_PROVIDER_UNAVAILABLE", "the token cannot be verified now", { cause: error });
    }
  };
}

/** Errors that are the token's fault. All others are trouble with the keys. */
const refusals: ReadonlySet<string> = new Set([
  errors.JWTClaimValidationFailed.code,
  errors.JWTExpired.code,
  errors.JWTInvalid.code,
  errors.JWSInvalid.code,
  errors.JWSSignatureVerificationFailed.code,
  errors.JOSEAlgNotAllowed.code,
  errors.JOSENotSupported.code,
  errors.JWKSNoMatchingKey.code,
  errors.JWKSMultipleMatchingKeys.code,
]);

function principalOf(payload: JWTPayload, tenantClaim: string): Principal | undefined {
  const tenant = payload[tenantClaim];
  const { sub, exp } = payload;
  if (typeof tenant !== "string" || tenant === "" || sub === undefined || sub === "" || exp === undefined) {
    return undefined;
  }
  const expiresAt = (exp + clockToleranceSeconds) * 1000;
  return { kind: "jwt", tenant, subject: sub, scopes: new Set(scopesOf(payload)), expiresAt };
}

function scopesOf({ scope, scp }: JWTPayload): string[] {
  const given = scope ?? scp;
  if (typeof given === "string") {
    return given.split(" ").filter((word) => word !== "");
  }
  return Array.isArray(given) ? given.filter((word) => typeof word === "string") : [];
}
