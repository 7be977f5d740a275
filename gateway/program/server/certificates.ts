import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { Certificate } from "../../http/listener/certificate.ts";
import { ProgramError } from "../program-error.ts";
import { readNamedFile } from "../read-file.ts";
import type { UpstreamTls } from "../upstream/upstream-tls.ts";

/** The files of a certificate chain and its key, with the flags that name them. */
export interface CertificateFiles {
  readonly certFlag: string;
  readonly certFile: string;
  readonly keyFlag: string;
  readonly keyFile: string;
  /** Root certificates for the certificates that clients must present. */
  readonly clientCa?: { readonly flag: string; readonly file: string } | undefined;
}

/** The paths of all files. */
export function pathsOf({ certFile, keyFile, clientCa }: CertificateFiles): string[] {
  return [certFile, keyFile, ...(clientCa === undefined ? [] : [clientCa.file])];
}

/** Reads a certificate and its key. @throws ProgramError if they are not PEM or do not match. */
export function readCertificate({ certFlag, certFile, keyFlag, keyFile, clientCa }: CertificateFiles): Certificate {
  const cert = readNamedFile(certFile, `${certFlag} ${certFile}`);
  const key = readNamedFile(keyFile, `${keyFlag} ${keyFile}`);
  const parsed = parseCertificate(certFlag, certFile, cert);
  if (!parsed.checkPrivateKey(parseKey(keyFlag, keyFile, key))) {
    throw new ProgramError(`${keyFlag} ${keyFile}: it is not the key of the certificate in ${certFile}`);
  }
  if (clientCa === undefined) return { cert, key };
  const roots = readNamedFile(clientCa.file, `${clientCa.flag} ${clientCa.file}`);
  parseCertificate(clientCa.flag, clientCa.file, roots);
  return { cert, key, clientCa: roots };
}

/** TLS to the upstream, if a TLS option is set. @throws ProgramError if a file is not PEM. */
export function readUpstreamTls(options: {
  readonly tls: boolean;
  readonly ca: string | undefined;
  readonly client: CertificateFiles | undefined;
}): UpstreamTls | undefined {
  const { tls, ca: caFile, client } = options;
  if (!tls && caFile === undefined && client === undefined) return undefined;
  const ca = caFile === undefined ? undefined : readNamedFile(caFile, `--upstream-ca ${caFile}`);
  if (caFile !== undefined && ca !== undefined) parseCertificate("--upstream-ca", caFile, ca);
  if (client === undefined) return { ca };
  const { cert, key } = readCertificate(client);
  return { ca, cert, key };
}

function parseCertificate(flag: string, path: string, pem: Buffer): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new ProgramError(`${flag} ${path}: it is not a PEM certificate`);
  }
}

function parseKey(flag: string, path: string, pem: Buffer): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new ProgramError(`${flag} ${path}: it is not a PEM key without a passphrase`);
  }
}
