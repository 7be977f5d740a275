/** A certificate chain and its key, PEM. */
export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Root certificates, PEM. If set, clients must present a certificate signed by one of them. */
  readonly clientCa?: Buffer | undefined;
}

/** Maximum duration of a TLS handshake, in milliseconds. */
export const handshakeTimeoutMs = 20_000;

/** The certificate as options of Node's TLS servers. */
export function tlsOptions({ cert, key, clientCa }: Certificate) {
  return { cert, key, ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }) };
}
