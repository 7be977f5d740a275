import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { createAuthority } from "../../gateway/test/support/certificates.ts";
import { createLogger } from "../runtime/telemetry/log.ts";
import { until } from "../runtime/testing/until.ts";
import { openCertificates } from "./certificates.ts";
import { readHostConfig } from "./config.ts";

test("a certificate that is renewed while the process starts is used, and so is each later one", async () => {
  using authority = createAuthority();
  const files = {
    DOCKET_TLS_CERT_FILE: join(authority.folder, "a.crt"),
    DOCKET_TLS_KEY_FILE: join(authority.folder, "a.key"),
  };
  const install = ({ cert, key }: { cert: string; key: string }): void => {
    copyFileSync(cert, files.DOCKET_TLS_CERT_FILE);
    copyFileSync(key, files.DOCKET_TLS_KEY_FILE);
  };
  const [first, second, third] = ["first", "second", "third"].map((name) => authority.issue(name, "IP:127.0.0.1"));
  if (first === undefined || second === undefined || third === undefined) {
    throw new Error("three certificates were issued");
  }
  install(first);
  const lines: string[] = [];
  const log = createLogger({ level: "info", name: "test", destination: { write: (line) => void lines.push(line) } });
  using certificates = openCertificates(readHostConfig(files), log);
  expect(certificates?.current.cert).toEqual(readFileSync(first.cert));
  install(second);
  await until(() => lines.some((line) => line.includes("was renewed")));
  const used: unknown[] = [];
  certificates?.onChange(({ cert }) => used.push(cert));
  expect(used).toEqual([readFileSync(second.cert)]);
  writeFileSync(files.DOCKET_TLS_CERT_FILE, "broken");
  await until(() => lines.some((line) => line.includes("cannot be used")));
  install(third);
  await until(() => used.length === 2);
  expect(used[1]).toEqual(readFileSync(third.cert));
});
