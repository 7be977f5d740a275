import type { Principal } from "../context-values.ts";

/** A credential as presented by a caller. */
export interface Credential {
  /** `bearer`: `Authorization: Bearer …`; `api_key`: `X-Api-Key`; `service`: `Authorization: Service …`. */
  readonly scheme: "bearer" | "api_key" | "service";
  readonly token: string;
}

/**
 * Resolves a credential to its principal.
 *
 * Resolves with undefined for a credential that is unknown, expired, revoked or malformed; the caller must not learn
 * which. Rejects (UNAVAILABLE) only if the check itself failed.
 */
export type Authenticate = (
  credential: Credential,
  header: Headers,
  signal: AbortSignal,
  /** Client address; empty for calls within the process. */
  clientAddress: string,
) => Promise<Principal | undefined>;

/** Verifies one kind of secret. Same contract as `Authenticate`. */
export type VerifyToken = (token: string, signal: AbortSignal) => Promise<Principal | undefined>;

export interface AuthenticateOptions {
  /** Verifies API keys, through the operations service. */
  readonly apiKey: VerifyToken;
  /** Verifies JWTs of an identity provider, see `createJwtVerifier`. Default: JWTs are rejected. */
  readonly jwt?: VerifyToken;
  /** Verifies Docket's own services in other processes, see `createServiceTokens`. */
  readonly service?: VerifyToken;
}

/** Header, payload and signature in base64url; the header is a JSON object, which begins with `{"`. */
const jwtForm = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/;

/** Longer than any API key. Longer tokens are rejected without a lookup. */
const maxKeyLength = 512;

/**
 * Dispatches each credential to its verifier. A bearer token in the form of a JWT is a JWT; any other is an API key.
 */
export function createAuthenticate({ apiKey: lookUp, jwt, service }: AuthenticateOptions): Authenticate {
  const apiKey: VerifyToken = async (token, signal) =>
    token.length > maxKeyLength ? undefined : lookUp(token, signal);
  return async ({ scheme, token }, _header, signal) => {
    switch (scheme) {
      case "api_key":
        return apiKey(token, signal);
      case "bearer":
        return jwtForm.test(token) ? jwt?.(token, signal) : apiKey(token, signal);
      case "service":
        return service?.(token, signal);
      default:
        return scheme satisfies never;
    }
  };
}
