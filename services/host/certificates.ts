import type { Certificate } from "../../gateway/http/listener/certificate.ts";
import { watchFiles } from "../../gateway/http/watch-files.ts";
import { ProgramError } from "../../gateway/program/program-error.ts";
import { type CertificateFiles, pathsOf, readCertificate } from "../../gateway/program/server/certificates.ts";
import { ConfigError } from "../runtime/config/config-error.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { HostConfig } from "./config.ts";

/** Certificate of the HTTP and gRPC ports, from the configured files. */
export interface Certificates extends Disposable {
  readonly current: Certificate;
  /**
   * Calls `renew` with each new certificate after the files change, and now if they have changed since the start.
   * Unusable files are logged and ignored.
   */
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
  let renewed: Certificate | undefined;
  let renew = (_: Certificate): void => {};
  using stack = new DisposableStack();
  // Watching starts before the files are read, so that no change is missed.
  stack.use(
    watchFiles(pathsOf(files), () => {
      try {
        renewed = readCertificate(files);
        renew(renewed);
        log.info({ paths: pathsOf(files) }, "the certificate was renewed");
      } catch (err) {
        log.error({ err }, "the new certificate cannot be used; the previous one stays in use");
      }
    }),
  );
  const current = readAtStart(files);
  const opened = stack.move();
  return {
    current,
    onChange(listener) {
      renew = listener;
      if (renewed !== undefined) {
        listener(renewed);
      }
    },
    [Symbol.dispose]: () => opened[Symbol.dispose](),
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
