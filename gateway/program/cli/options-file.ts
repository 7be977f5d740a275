import { dirname, resolve } from "node:path";
import { parseDocument } from "yaml";
import type { ServerLimits } from "../../http/limits/server-limits.ts";
import type { HttpOptions } from "../../rest/options.ts";
import { ProgramError } from "../program-error.ts";
import { readNamedFile } from "../read-file.ts";

/** The options of the configuration file. */
export interface FileOptions
  extends Pick<
    HttpOptions,
    | "lenient"
    | "errorFormat"
    | "errorDomain"
    | "maxBodyBytes"
    | "maxElements"
    | "maxTimeoutMs"
    | "requestHeaders"
    | "heartbeatMs"
    | "cors"
    | "json"
    | "created"
    | "queryParameters"
    | "streamFormat"
    | "extendedTemplates"
  > {
  /** Bytes into which requests are being decompressed concurrently. */
  readonly maxDecodingBytes?: number;
  /** Skips invalid or ambiguous HTTP rules instead of rejecting the descriptor set. */
  readonly skipInvalidRules?: boolean;
  /** The path of a service configuration, relative to the folder of this file. */
  readonly serviceConfig?: string;
  /** Limits for unauthenticated clients. Applied when the program starts. */
  readonly limits?: Partial<ServerLimits>;
}

/** Checks a value and returns its violations, each with its path. */
type Check = (value: unknown, path: string) => string[];

const setting = (test: (value: unknown) => boolean, expected: string): Check => {
  return (value, path) => (test(value) ? [] : [`${path}: expected ${expected}, got ${show(value)}`]);
};

const flag = setting((value) => typeof value === "boolean", "true or false");

const integer = (min: number, unit: string): Check =>
  setting(
    (value) => typeof value === "number" && Number.isSafeInteger(value) && value >= min,
    `a whole number of ${unit}, ${min} or more`,
  );

const oneOf = (...values: readonly string[]): Check => {
  return setting((value) => values.includes(value as string), values.map((value) => `"${value}"`).join(" or "));
};

const list = (check: Check, expected: string): Check => {
  return (value, path) => {
    if (!Array.isArray(value)) return [`${path}: expected ${expected}, got ${show(value)}`];
    return value.flatMap((item, index) => check(item, `${path}[${index}]`));
  };
};

const object = (checks: Readonly<Record<string, Check>>, required: readonly string[] = []): Check => {
  return (value, path) => {
    if (!isObject(value)) return [`${path || "the file"}: expected an object, got ${show(value)}`];
    const at = (key: string): string => (path === "" ? key : `${path}.${key}`);
    const missing = required.filter((key) => !Object.hasOwn(value, key)).map((key) => `${at(key)}: is missing`);
    const wrong = Object.entries(value).flatMap(([key, inner]) => {
      const check = Object.hasOwn(checks, key) ? checks[key] : undefined;
      return (
        check?.(inner, at(key)) ?? [`${at(key)}: unknown option; known options: ${Object.keys(checks).join(", ")}`]
      );
    });
    return [...missing, ...wrong];
  };
};

/** RFC 9110's token, the characters of a header name. */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

const headerName = setting((value) => typeof value === "string" && token.test(value), "the name of a header");

const headerRule = setting(
  (value) => typeof value === "string" && /^[^*]*\*?$/.test(value) && token.test(value),
  'the name of a header, or the beginning of names and "*", such as "x-shop-*"',
);

const origin: Check = (value, path) => {
  if (value === "*") return [`${path}: use "origins": "*" to allow every origin`];
  const url = typeof value === "string" && URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    return [`${path}: expected an origin such as "https://shop.example", got ${show(value)}`];
  }
  return url.origin === value ? [] : [`${path}: ${show(value)} is not an origin; use "${url.origin}"`];
};

const corsFields = object(
  {
    origins: (value, path) => (value === "*" ? [] : list(origin, 'a list of origins, or "*"')(value, path)),
    credentials: flag,
    maxAgeSeconds: integer(0, "seconds"),
    exposedHeaders: list(headerName, "a list of headers"),
  },
  ["origins"],
);

const cors: Check = (value, path) => {
  const wrong = corsFields(value, path);
  if (isObject(value) && value["credentials"] === true && value["origins"] === "*") {
    wrong.push(`${path}.credentials: browsers send no credentials to "*"; list the allowed origins`);
  }
  return wrong;
};

const options = object({
  lenient: flag,
  errorFormat: oneOf("status", "aip193", "problem"),
  errorDomain: setting((value) => typeof value === "string" && value !== "", 'a domain such as "shop.example"'),
  maxBodyBytes: integer(1, "bytes"),
  maxElements: integer(1, "elements"),
  maxDecodingBytes: integer(1, "bytes"),
  maxTimeoutMs: integer(1, "milliseconds"),
  requestHeaders: list(headerRule, "a list of headers"),
  heartbeatMs: integer(1, "milliseconds"),
  cors,
  json: object({ protoNames: flag, emitDefaults: flag, enumNumbers: flag, ignoreUnknownFields: flag }),
  created: flag,
  queryParameters: list(
    setting((value) => typeof value === "string" && value !== "", "a name"),
    "a list of names",
  ),
  streamFormat: oneOf("sse", "ndjson", "array"),
  skipInvalidRules: flag,
  extendedTemplates: flag,
  serviceConfig: setting((value) => typeof value === "string" && value !== "", "the path of a file"),
  limits: object({
    connections: integer(1, "connections"),
    connectionsPerAddress: integer(1, "connections"),
    streamsPerConnection: integer(1, "requests"),
    streams: integer(1, "requests"),
    streamsPerAddress: integer(1, "requests"),
    idleMs: integer(1, "milliseconds"),
    minBytesPerSecond: integer(0, "bytes"),
    rateWindowMs: integer(1, "milliseconds"),
    bodyTimeoutMs: integer(1, "milliseconds"),
    bufferedBytes: integer(1, "bytes"),
    bufferedBytesPerConnection: integer(1, "bytes"),
    stallMs: integer(1, "milliseconds"),
    lingerMs: integer(1, "milliseconds"),
    lingerBytes: integer(0, "bytes"),
  } satisfies Record<keyof ServerLimits, Check>),
} satisfies Record<keyof FileOptions, Check>);

/**
 * Reads a configuration file, JSON or YAML.
 *
 * @throws ProgramError that names the file and every violation with its path.
 */
export function readOptionsFile(path: string): FileOptions {
  const value = parse(path, readNamedFile(path).toString());
  const wrong = options(value, "");
  if (wrong.length > 0) throw new ProgramError(`${path}:\n${wrong.map((violation) => `  ${violation}`).join("\n")}`);
  const read = value as FileOptions;
  const { serviceConfig } = read;
  return serviceConfig === undefined ? read : { ...read, serviceConfig: resolve(dirname(path), serviceConfig) };
}

/** JSON is valid YAML, but the JSON parser reports errors more precisely. */
function parse(path: string, text: string): unknown {
  if (text.trimStart().startsWith("{")) {
    try {
      return JSON.parse(text);
    } catch (error) {
      if (path.endsWith(".json")) throw new ProgramError(`${path}: it is not JSON: ${messageOf(error)}`);
    }
  }
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw new ProgramError(`${path}: it is neither JSON nor YAML: ${error.message.trim()}`);
  return document.toJS() ?? {};
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}
