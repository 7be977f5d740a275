import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A private certificate authority, created with the openssl command, in a folder that disposing removes. */
export interface Authority extends Disposable {
  readonly folder: string;
  /** Its own certificate, PEM. */
  readonly ca: string;
  /** Issues a certificate for names and addresses such as `DNS:localhost,IP:127.0.0.1`. */
  issue(name: string, alternativeNames: string): { readonly cert: string; readonly key: string };
}

/** Creates an authority; certificates are valid for a day. */
export function createAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), "gateway-tls-"));
  const openssl = (...args: string[]): void => {
    execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  };
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-days",
    "1",
    "-subj",
    "/CN=test authority",
  );
  return {
    folder,
    ca: join(folder, "ca.pem"),
    issue(name, alternativeNames) {
      writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${alternativeNames}\n`);
      openssl("req", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
      openssl(
        ...["x509", "-req", "-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1"],
        ...["-extfile", `${name}.ext`, "-out", `${name}.pem`],
      );
      return { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}
