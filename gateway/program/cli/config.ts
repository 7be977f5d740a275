import { parseArgs } from "node:util";
import { ProgramError } from "../program-error.ts";
import { type CertificateFiles, readCertificate, readUpstreamTls } from "../server/certificates.ts";
import { parseTargets, type Target } from "../upstream/addresses.ts";
import type { PoolOptions } from "../upstream/pool.ts";

/** The configuration from the command line. */
export interface Config {
  readonly descriptorSets: readonly string[];
  readonly upstreams: readonly Target[];
  readonly pool: Pick<PoolOptions, "tls" | "healthCheck" | "serverName" | "keepaliveMs">;
  readonly host: string;
  readonly port: number;
  /** If undefined, there is no operations port. */
  readonly opsPort: number | undefined;
  /** TLS on the served port. */
  readonly certificate: CertificateFiles | undefined;
  readonly optionsFile: string | undefined;
  readonly serviceConfig: string | undefined;
  readonly skipInvalidRules: boolean;
  readonly watch: boolean;
}

/** Reports all invalid arguments. */
export class UsageError extends ProgramError {
  override readonly name = "UsageError";
}

/** The text of `--help`. */
export const usage = `Usage: node gateway/main.ts --descriptor-set FILE --upstream HOST:PORT [options]

Serves the google.api.http annotations of a descriptor set as REST, and its methods as Connect, gRPC-Web and gRPC, in
front of a gRPC server in any language.

  --descriptor-set FILE   output of \`buf build -o FILE\` or \`protoc --include_imports --descriptor_set_out=FILE\`;
                          repeatable
  --upstream ADDRESS      host:port or unix:path; repeatable, or several separated by commas. Calls are distributed
                          round robin over all addresses of a name that can be reached and that report SERVING
  --config FILE           JSON or YAML with any of: lenient, errorFormat, errorDomain, maxBodyBytes, maxElements,
                          maxDecodingBytes, maxTimeoutMs, requestHeaders, heartbeatMs, cors, json, created,
                          queryParameters, streamFormat, skipInvalidRules, serviceConfig,
                          extendedTemplates, limits
  --service-config FILE   YAML of a google.api.Service: its http.rules replace annotations, and the mixin services
                          listed in its apis are served
  --skip-invalid-rules    skip HTTP rules that are invalid or ambiguous; otherwise they are an error
  --no-watch              do not reload when a file changes; SIGHUP still reloads
  --help                  show this help

What is served:
  --host HOST             address to listen on (default 127.0.0.1; 0.0.0.0 for all)
  --port PORT             port to listen on (default 8080; 0 selects a free one)
  --tls-cert FILE         PEM certificate chain: enables TLS on the port, with HTTP/2 and HTTP/1.1
  --tls-key FILE          its PEM key
  --tls-client-ca FILE    accept only clients that present a certificate of these PEM roots
  --ops-port PORT         a port for /live, /ready and /metrics

Connections to the upstream:
  --upstream-tls          use TLS, trusting the system's roots
  --upstream-ca FILE      use TLS, trusting these PEM roots instead of the system's
  --upstream-cert FILE    use TLS, presenting this PEM client certificate
  --upstream-key FILE     its PEM key
  --upstream-name NAME    the name in the upstream's certificate, if it differs from the host
  --upstream-keepalive SECONDS
                          ping interval of a connection with calls (default 310: by default, servers close
                          connections that are pinged more often than every 300 seconds; 0 disables pings)
  --no-health-check       do not check addresses by grpc.health.v1.Health
`;

const flags = {
  "descriptor-set": { type: "string", multiple: true },
  upstream: { type: "string", multiple: true },
  config: { type: "string" },
  "service-config": { type: "string" },
  "skip-invalid-rules": { type: "boolean" },
  "no-watch": { type: "boolean" },
  help: { type: "boolean", short: "h" },
  host: { type: "string" },
  port: { type: "string" },
  "tls-cert": { type: "string" },
  "tls-key": { type: "string" },
  "tls-client-ca": { type: "string" },
  "ops-port": { type: "string" },
  "upstream-tls": { type: "boolean" },
  "upstream-ca": { type: "string" },
  "upstream-cert": { type: "string" },
  "upstream-key": { type: "string" },
  "upstream-name": { type: "string" },
  "upstream-keepalive": { type: "string" },
  "no-health-check": { type: "boolean" },
} as const;

/** Parses the arguments. @returns undefined if they request help. @throws UsageError with everything that is wrong. */
export function readConfig(args: readonly string[]): Config | undefined {
  const values = parse(args);
  if (values.help === true) return undefined;
  const wrong: string[] = [];
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
      wrong.push(error.message);
      return undefined;
    }
  };

  const descriptorSets = values["descriptor-set"] ?? [];
  if (descriptorSets.length === 0) {
    wrong.push("--descriptor-set is missing: the file that `buf build -o api.binpb` writes");
  }
  const given = (values.upstream ?? []).filter((text) => text.trim() !== "");
  if (given.length === 0) wrong.push("--upstream is missing: the gRPC server's host:port");
  const upstreams = given.flatMap((text) => attempt(() => parseTargets(text)) ?? []);
  const port = attempt(() => portOf("--port", values.port ?? "8080"));
  const opsText = values["ops-port"];
  const opsPort = opsText === undefined ? undefined : attempt(() => portOf("--ops-port", opsText));
  if (opsPort !== undefined && opsPort !== 0 && opsPort === port) wrong.push("--ops-port and --port are the same");
  const keepaliveMs = attempt(() => keepaliveOf(values["upstream-keepalive"]));
  const clientCa = values["tls-client-ca"];
  const certificate = withClientCa(
    attempt(() => pair(values, "tls-cert", "tls-key")),
    clientCa,
  );
  if (clientCa !== undefined && certificate === undefined)
    wrong.push("--tls-client-ca requires --tls-cert and --tls-key");
  if (certificate !== undefined) attempt(() => readCertificate(certificate));
  const client = attempt(() => pair(values, "upstream-cert", "upstream-key"));
  const usesTls = ["upstream-tls", "upstream-ca", "upstream-cert"] as const;
  const tls = attempt(() =>
    readUpstreamTls({ tls: values["upstream-tls"] === true, ca: values["upstream-ca"], client }),
  );
  if (values["upstream-name"] !== undefined && usesTls.every((name) => values[name] === undefined)) {
    wrong.push("--upstream-name is the name in a certificate: it requires --upstream-tls or --upstream-ca");
  }
  if (wrong.length > 0 || port === undefined) throw new UsageError(wrong.join("\n"));
  return {
    descriptorSets,
    upstreams,
    pool: {
      tls,
      healthCheck: values["no-health-check"] !== true,
      serverName: values["upstream-name"],
      keepaliveMs,
    },
    host: values.host ?? "127.0.0.1",
    port,
    opsPort,
    certificate,
    optionsFile: values.config,
    serviceConfig: values["service-config"],
    skipInvalidRules: values["skip-invalid-rules"] === true,
    watch: values["no-watch"] !== true,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: flags }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function portOf(flag: string, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new ProgramError(`${flag} ${text}: it is not a port; ports are 0 to 65535`);
  return port;
}

/** @returns milliseconds; undefined for the default. */
function keepaliveOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,6}$/.test(text)) {
    throw new ProgramError(`--upstream-keepalive ${text}: expected a whole number of seconds; 0 disables pings`);
  }
  return Number(text) * 1000;
}

function withClientCa(files: CertificateFiles | undefined, file: string | undefined): CertificateFiles | undefined {
  return files === undefined || file === undefined ? files : { ...files, clientCa: { flag: "--tls-client-ca", file } };
}

function pair(
  values: Readonly<Partial<Record<string, unknown>>>,
  cert: keyof typeof flags,
  key: keyof typeof flags,
): CertificateFiles | undefined {
  const { [cert]: certFile, [key]: keyFile } = values;
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (typeof certFile !== "string") throw new ProgramError(`--${key} requires --${cert}`);
  if (typeof keyFile !== "string") throw new ProgramError(`--${cert} requires --${key}`);
  return { certFlag: `--${cert}`, certFile, keyFlag: `--${key}`, keyFile };
}
