import type { Principal } from "../context-values.ts";

/** What a caller showed, and how. */
export interface Credential {
  /** `bearer`: `Authorization: Bearer …`; `api_key`: `X-Api-Key`; `service`: `Authorization: Service …`. */
  readonly scheme: "bearer" | "api_key" | "service";
  readonly token: string;
}

/**
 * Turns a credential into a principal.
 *
 * Resolves with undefined for a credential that is unknown, expired, revoked or malformed: the caller must not learn
 * which. Rejects (UNAVAILABLE) only when it could not find out.
 */
export type Authenticate = (
  credential: Credential,
  header: Headers,
  signal: AbortSignal,
  /** Where the call comes from; empty where there is no network between, as within the process. */
  clientAddress: string,
) => Promise<Principal | undefined>;

/** Looks a secret up, or verifies it. The same promise as `Authenticate`, for one kind of secret. */
export type VerifyToken = (token: string, signal: AbortSignal) => Promise<Principal | undefined>;

export interface AuthenticateOptions {
  /** API keys; the operations service knows them. */
  readonly apiKey: VerifyToken;
  /** JWTs of an identity provider: see `createJwtVerifier`. Without it a JWT is no valid credential. */
  readonly jwt?: VerifyToken;
  /** Our own services in other processes: see `createServiceTokens`. */
  readonly service?: VerifyToken;
}

/** A header, a payload and a signature in base64url; the header is a JSON object, which begins with `{"`. */
const jwtForm = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/;

/** More characters than any API key has: such a token is refused without a lookup. */
const maxKeyLength = 512;

/** Sends each credential to whom it concerns. A bearer token in the form of a JWT is one; any other is an API key. */
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
