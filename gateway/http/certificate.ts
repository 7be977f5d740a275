/** A certificate chain and its key, PEM. */
export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Roots, PEM. With them, clients must present a certificate that one of these has signed. */
  readonly clientCa?: Buffer | undefined;
}

/** A handshake takes no longer than this, in milliseconds. */
export const handshakeTimeoutMs = 20_000;

/** The certificate as options of Node's TLS servers. */
export function tlsOptions({ cert, key, clientCa }: Certificate) {
  return { cert, key, ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }) };
}
