import { type ChannelCredentials, credentials } from "@grpc/grpc-js";

/** TLS to the upstream, as PEM. */
export interface UpstreamTls {
  /** Trusted roots, instead of the system's. */
  readonly ca?: Buffer | undefined;
  /** The client certificate and its key. */
  readonly cert?: Buffer | undefined;
  readonly key?: Buffer | undefined;
}

/** The credentials of grpc-js; insecure without TLS. */
export function credentialsOf(tls: UpstreamTls | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  return credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null);
}
