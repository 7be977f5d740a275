import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import type { Certificate } from "../../http/certificate.ts";
import { ProgramError } from "../program-error.ts";
import { readNamedFile } from "../read-file.ts";

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

/** The upstream's credentials: insecure, unless a TLS option is set. */
export function readUpstreamCredentials(options: {
  readonly tls: boolean;
  readonly ca: string | undefined;
  readonly client: CertificateFiles | undefined;
}): ChannelCredentials {
  const { tls, ca, client } = options;
  if (!tls && ca === undefined && client === undefined) return credentials.createInsecure();
  const roots = ca === undefined ? null : readNamedFile(ca, `--upstream-ca ${ca}`);
  if (ca !== undefined && roots !== null) parseCertificate("--upstream-ca", ca, roots);
  if (client === undefined) return credentials.createSsl(roots);
  const { cert, key } = readCertificate(client);
  return credentials.createSsl(roots, key, cert);
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
