import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import type { HttpOptions } from "../rest-options.ts";

/** What the program was told. */
export interface Config {
  readonly descriptorSet: string;
  readonly upstreams: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly credentials: ChannelCredentials;
  /** Neither TLS nor a proxy stands between the gateway and the upstreams. */
  readonly direct: boolean;
  readonly watch: boolean;
  readonly options: Omit<HttpOptions, "specs" | "openapi" | "registry">;
}

/** Wrong arguments; the message is for the terminal. */
export class UsageError extends Error {}

/** The text of `--help`. */
export const usage = `Usage: node gateway/main.ts --descriptor-set FILE --upstream HOST:PORT [options]

Serves the google.api.http annotations of a descriptor set as REST, and its methods as Connect and gRPC-Web, in front
of a gRPC server in any language.

  --descriptor-set FILE  what \`buf build -o FILE\` or \`protoc --include_imports --descriptor_set_out=FILE\` wrote
  --upstream ADDRESS     host:port, dns:host:port or unix:path; give it again for more, calls go to them in turn
  --host HOST            address to listen on (default 0.0.0.0)
  --port PORT            port to listen on (default 8080; 0 takes a free one)
  --tls                  reach the upstream by TLS, trusting the system's roots
  --ca FILE              PEM roots to trust in place of the system's (implies --tls)
  --cert FILE --key FILE client certificate for the upstream (implies --tls)
  --config FILE          JSON with any of: ${"lenient, errorFormat, errorDomain, maxBodyBytes,"}
                         maxTimeoutMs, requestHeaders, heartbeatMs, cors, json
  --no-watch             do not serve anew when the descriptor set changes
  --help                 show this
`;

const optionNames = new Set([
  "lenient",
  "errorFormat",
  "errorDomain",
  "maxBodyBytes",
  "maxTimeoutMs",
  "requestHeaders",
  "heartbeatMs",
  "cors",
  "json",
]);

/** Reads the arguments. @returns undefined where they ask for help. @throws UsageError where they are wrong. */
export function readConfig(args: readonly string[]): Config | undefined {
  const { values } = parse(args);
  if (values.help === true) return undefined;
  const descriptorSet = values["descriptor-set"];
  if (descriptorSet === undefined) throw new UsageError("--descriptor-set is missing");
  const upstreams = (values.upstream ?? []).flatMap((each) => each.split(",")).filter((each) => each !== "");
  if (upstreams.length === 0) throw new UsageError("--upstream is missing");
  const port = Number(values.port ?? 8080);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new UsageError(`--port ${values.port} is not a port`);
  return {
    descriptorSet,
    upstreams,
    host: values.host ?? "0.0.0.0",
    port,
    credentials: credentialsOf(values),
    direct: !isSecure(values) && proxyVariables.every((name) => process.env[name] === undefined),
    watch: values["no-watch"] !== true,
    options: values.config === undefined ? {} : readOptions(values.config),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        "descriptor-set": { type: "string" },
        upstream: { type: "string", multiple: true },
        host: { type: "string" },
        port: { type: "string" },
        tls: { type: "boolean" },
        ca: { type: "string" },
        cert: { type: "string" },
        key: { type: "string" },
        config: { type: "string" },
        "no-watch": { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Those that grpc-js goes by. */
const proxyVariables = ["grpc_proxy", "https_proxy", "http_proxy"];

interface TlsValues {
  readonly tls?: boolean | undefined;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

function isSecure({ tls, ca, cert }: TlsValues): boolean {
  return tls === true || ca !== undefined || cert !== undefined;
}

function credentialsOf(values: TlsValues): ChannelCredentials {
  const { ca, cert, key } = values;
  if ((cert === undefined) !== (key === undefined)) throw new UsageError("--cert and --key go together");
  if (!isSecure(values)) return credentials.createInsecure();
  const read = (path: string | undefined): Buffer | null => (path === undefined ? null : readFile(path));
  return credentials.createSsl(read(ca), read(key), read(cert));
}

function readOptions(path: string): Config["options"] {
  let options: unknown;
  try {
    options = JSON.parse(readFile(path).toString("utf8"));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path} is not JSON`);
  }
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new UsageError(`${path} is not a JSON object`);
  }
  const unknown = Object.keys(options).filter((name) => !optionNames.has(name));
  if (unknown.length > 0) throw new UsageError(`${path}: unknown option ${unknown.join(", ")}`);
  return options;
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    throw new UsageError(`${path} cannot be read`);
  }
}
