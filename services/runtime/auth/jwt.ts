import { createLocalJWKSet, createRemoteJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import type { Principal } from "../context-values.ts";
import { unavailable } from "../errors.ts";
import type { VerifyToken } from "./authenticate.ts";
import { platformAdminScope } from "./scopes.ts";

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
  /** The longest time from `iat` (or now, whichever is earlier) to `exp`, in milliseconds. Default a day. */
  readonly maxLifetimeMs?: number;
  /** Whether the issuer may grant `platform.admin`, which reaches every tenant. Default false: the scope is dropped. */
  readonly grantsPlatformAdmin?: boolean;
}

const defaultAlgorithms = ["RS256", "PS256", "ES256", "EdDSA"];
/** For clocks of two machines that do not quite agree. */
const clockToleranceSeconds = 5;
const dayMs = 24 * 3_600_000;

/**
 * The header's `typ`, where there is one: an access token (RFC 9068) or a plain JWT. Other kinds of token, such as logout
 * tokens and proofs of possession, have a type of their own and are no credential here (RFC 8725, section 3.11).
 */
const acceptedTypes: ReadonlySet<string> = new Set(["jwt", "at+jwt"]);
/** As the API writes a tenant. */
const tenantForm = /^[a-z][a-z0-9-]{0,62}$/;
/** Short enough for the histories that name it, and harmless in a log line. */
const subjectForm = /^[\p{L}\p{N}\p{P}\p{S} ]{1,200}$/u;

/**
 * Verifies JWTs: signature by a key of the issuer and one of the allowed algorithms, `typ`, `iss`, `aud`, `exp`, `nbf`,
 * `iat`, and the lifetime. The principal's subject is `sub`, its tenant the tenant claim (both required, as is `exp`),
 * its scopes the words of `scope` (RFC 8693) or the elements of `scp`.
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
