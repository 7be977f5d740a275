import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

/** A trusted identity provider with its keys on a local port. */
export interface TokenIssuer extends AsyncDisposable {
  /** Settings that make Docket trust it. */
  readonly environment: Record<string, string>;
  sign(claims: TokenClaims, options?: { expires?: string; forged?: boolean }): Promise<string>;
}

export interface TokenClaims {
  readonly tenant: string;
  readonly scope: string;
  readonly aud?: string;
}

const issuer = "https://issuer.example";
const audience = "docket";

export async function startTokenIssuer(): Promise<TokenIssuer> {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const stranger = (await generateKeyPair("ES256")).privateKey;
  const keys = { keys: [{ ...(await exportJWK(publicKey)), alg: "ES256", kid: "one" }] };
  const server = createServer((_request, response) => response.end(JSON.stringify(keys))).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    environment: {
      DOCKET_JWT_ISSUER: issuer,
      DOCKET_JWT_AUDIENCE: audience,
      DOCKET_JWT_KEYS_URL: `http://127.0.0.1:${port}/keys`,
    },
    sign: (claims, { expires = "1h", forged = false } = {}) =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg: "ES256", kid: "one" })
        .setIssuer(issuer)
        .setAudience(claims.aud ?? audience)
        .setSubject("ann")
        .setExpirationTime(expires)
        .sign(forged ? stranger : privateKey),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
