import { createLocalJWKSet, createRemoteJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import type { Principal } from "../context-values.ts";
import { unavailable } from "../errors.ts";
import type { VerifyToken } from "./authenticate.ts";
import { platformAdminScope } from "./scopes.ts";

export interface JwtOptions {
  /** The issuer's keys, or their URL, which is fetched again when a token names an unknown key. */
  readonly keys: URL | JSONWebKeySet;
  /** Required `iss`. */
  readonly issuer: string;
  /** Required `aud`, or one of its elements. */
  readonly audience: string;
  /**
   * Default: RS256, PS256, ES256, EdDSA. Symmetric algorithms are rejected, because a key that verifies could also
   * sign.
   */
  readonly algorithms?: readonly string[];
  /** Name of the tenant claim. Default `tenant`. */
  readonly tenantClaim?: string;
  /** Longest time from `iat` (or now, whichever is earlier) to `exp`, in milliseconds. Default one day. */
  readonly maxLifetimeMs?: number;
  /** Whether the issuer may grant `platform.admin`, which spans all tenants. Default false: the scope is dropped. */
  readonly grantsPlatformAdmin?: boolean;
}

const defaultAlgorithms = ["RS256", "PS256", "ES256", "EdDSA"];
/** Tolerated clock skew. */
const clockToleranceSeconds = 5;
const dayMs = 24 * 3_600_000;

/**
 * Accepted `typ` values, if the header has one: an access token (RFC 9068) or a plain JWT. Other tokens, such as logout
 * tokens and proofs of possession, have their own type and are not credentials (RFC 8725, section 3.11).
 */
const acceptedTypes: ReadonlySet<string> = new Set(["jwt", "at+jwt"]);
/** The API's format of a tenant. */
const tenantForm = /^[a-z][a-z0-9-]{0,62}$/;
/** Short enough for audit columns and safe in a log line. */
const subjectForm = /^[\p{L}\p{N}\p{P}\p{S} ]{1,200}$/u;

/**
 * Verifies JWTs: the signature by one of the issuer's keys and allowed algorithms, `typ`, `iss`, `aud`, `exp`, `nbf`,
 * `iat`, and the lifetime. The principal's subject is `sub` and its tenant the tenant claim (both required, as is
 * `exp`); its scopes are the words of `scope` (RFC 8693) or the elements of `scp`.
 */
export function createJwtVerifier(options: JwtOptions): VerifyToken {
  const keys = options.keys instanceof URL ? createRemoteJWKSet(options.keys) : createLocalJWKSet(options.keys);
  const { tenantClaim = "tenant", maxLifetimeMs = dayMs, grantsPlatformAdmin = false } = options;
  const expectations = {
    issuer: options.issuer,
    audience: options.audience,
    algorithms: [...(options.algorithms ?? defaultAlgorithms)],
    requiredClaims: ["sub", "exp", tenantClaim],
    clockTolerance: clockToleranceSeconds,
  };
  return async (token) => {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, keys, expectations);
      if (!isAccessToken(protectedHeader.typ) || !isShortLived(payload, maxLifetimeMs)) {
        return undefined;
      }
      const principal = principalOf(payload, tenantClaim);
      return principal && (grantsPlatformAdmin ? principal : withoutPlatformAdmin(principal));
    } catch (error) {
      if (error instanceof errors.JOSEError && refusals.has(error.code)) {
        return undefined;
      }
      throw unavailable("IDENTITY_PROVIDER_UNAVAILABLE", "the token cannot be verified at the moment", {
        cause: error,
      });
    }
  };
}

/** Errors caused by the token. All others are failures to obtain the keys. */
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

function isAccessToken(type: string | undefined): boolean {
  return type === undefined || acceptedTypes.has(type.toLowerCase().replace(/^application\//, ""));
}

function isShortLived({ iat, exp = Number.POSITIVE_INFINITY }: JWTPayload, maxLifetimeMs: number): boolean {
  const nowSeconds = Date.now() / 1000;
  const issuedAt = iat ?? nowSeconds;
  return (
    issuedAt <= nowSeconds + clockToleranceSeconds && (exp - Math.min(issuedAt, nowSeconds)) * 1000 <= maxLifetimeMs
  );
}

function withoutPlatformAdmin(principal: Principal): Principal {
  return { ...principal, scopes: new Set([...principal.scopes].filter((scope) => scope !== platformAdminScope)) };
}

function principalOf(payload: JWTPayload, tenantClaim: string): Principal | undefined {
  const tenant = payload[tenantClaim];
  const { sub, exp } = payload;
  if (typeof tenant !== "string" || !tenantForm.test(tenant)) {
    return undefined;
  }
  if (sub === undefined || !subjectForm.test(sub) || exp === undefined) {
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
