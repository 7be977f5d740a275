import type { Certificate } from "../../gateway/http/certificate.ts";
import { watchFiles } from "../../gateway/program/cli/watch.ts";
import { ProgramError } from "../../gateway/program/program-error.ts";
import { type CertificateFiles, pathsOf, readCertificate } from "../../gateway/program/server/certificates.ts";
import { ConfigError } from "../runtime/config/config-error.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { HostConfig } from "./config.ts";

/** Certificate of the HTTP and gRPC ports, from the configured files. */
export interface Certificates extends Disposable {
  readonly current: Certificate;
  /** Calls `renew` with the new certificate when the files change. Unusable files are logged and ignored. */
  onChange(renew: (certificate: Certificate) => void): void;
}

/**
 * Reads the certificate; undefined if none is configured.
 *
 * @throws ConfigError if the files are unusable
 */
export function openCertificates(config: HostConfig, log: Logger): Certificates | undefined {
  const files = filesOf(config);
  if (files === undefined) {
    return undefined;
  }
  let watch: Disposable | undefined;
  return {
    current: readAtStart(files),
    onChange(renew) {
      watch = watchFiles(pathsOf(files), () => {
        try {
          renew(readCertificate(files));
          log.info({ paths: pathsOf(files) }, "the certificate was renewed");
        } catch (err) {
          log.error({ err }, "the new certificate cannot be used; the previous one stays in use");
        }
      });
    },
    [Symbol.dispose]: () => watch?.[Symbol.dispose](),
  };
}

function filesOf({ tlsCertFile, tlsKeyFile, tlsClientCaFile }: HostConfig): CertificateFiles | undefined {
  if (tlsCertFile === undefined || tlsKeyFile === undefined) {
    return undefined;
  }
  return {
    certFlag: "DOCKET_TLS_CERT_FILE",
    certFile: tlsCertFile,
    keyFlag: "DOCKET_TLS_KEY_FILE",
    keyFile: tlsKeyFile,
    clientCa: tlsClientCaFile === undefined ? undefined : { flag: "DOCKET_TLS_CLIENT_CA_FILE", file: tlsClientCaFile },
  };
}

function readAtStart(files: CertificateFiles): Certificate {
  try {
    return readCertificate(files);
  } catch (error) {
    throw error instanceof ProgramError ? new ConfigError([error.message]) : error;
  }
}
