import { type DestinationStream, destination, type Logger as PinoLogger, pino } from "pino";

import { reasonOf } from "../errors.ts";
import { activeIds } from "./tracing.ts";

/** The only logger type: pino's, with one JSON object per line. */
export type Logger = PinoLogger;

export interface LogOptions {
  /**
   * `fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`. Can be changed at runtime through `logger.level`.
   */
  readonly level: string;
  /** Name of the service: `order`, `gateway`, `standalone`, … */
  readonly name: string;
  /** Destination of log lines. Default: standard output. */
  readonly destination?: DestinationStream;
}

/** Fields that are redacted, at the top level or one object down, also in snake case. */
const secretNames = [
  "authorization",
  "cookie",
  "set-cookie",
  "x-api-key",
  "password",
  "secret",
  "token",
  "accessToken",
  "apiKey",
  "clientSecret",
  "privateKey",
  "signature",
  "cardNumber",
  "cvc",
  "email",
  "phone",
  "displayName",
  "recipient",
  "addressLines",
  "locality",
  "administrativeArea",
  "postalCode",
  "customer",
  "note",
  "shippingAddress",
];

const secretFields: ReadonlySet<string> = new Set([
  ...secretNames,
  ...secretNames.map((name) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)),
]);

type Fields = Record<string, unknown>;

const isPlainObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Error);

/**
 * Redacts secret fields, copying only if necessary. Pino's own redaction copies every object of every line, which costs
 * more than writing the line.
 */
function withoutSecrets(fields: Fields, depth = 1): Fields {
  let copy: Fields | undefined;
  for (const name in fields) {
    const value = fields[name];
    let shown = value;
    if (secretFields.has(name)) {
      shown = "[redacted]";
    } else if (depth > 0 && isPlainObject(value)) {
      shown = withoutSecrets(value, depth - 1);
    }
    if (shown !== value) {
      copy ??= { ...fields };
      copy[name] = shown;
    }
  }
  return copy ?? fields;
}

/**
 * Creates a logger whose lines carry `level` as a word, `time` as ISO 8601 UTC, `name`, and within a trace its
 * `trace_id` and `span_id`. Values of well-known secret
 * and personal fields are replaced by `[redacted]`. An `Error` under `err` is logged with its stack and causes.
 */
export function createLogger(options: LogOptions): Logger {
  const settings = {
    level: options.level,
    base: { name: options.name },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: errorFields },
    mixin: () => activeIds() ?? {},
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (fields: Fields) => withoutSecrets(fields),
      bindings: (bindings: Fields) => withoutSecrets(bindings),
    },
  };
  const logger = pino(settings, options.destination ?? standardOutput());
  // Pino formats the bindings of the first logger alone. Its children inherit this method.
  const { child } = logger;
  logger.child = function redactedChild(this: Logger, bindings: Fields, ...rest) {
    return child.call(this, withoutSecrets(bindings), ...rest);
  } as typeof child;
  return logger;
}

/**
 * Serializes an error: type, message, stack (causes included), plain properties such as `code`, and the reason of a
 * Docket error. Other properties may be whole object graphs: a ConnectError's details refer to the descriptors of their
 * messages.
 */
function errorFields(error: unknown): unknown {
  if (!Error.isError(error)) {
    return error;
  }
  const { type, message, stack } = pino.stdSerializers.err(error);
  const plain = Object.entries(error).filter(
    ([, value]) => value === null || !["object", "function"].includes(typeof value),
  );
  return { ...withoutSecrets(Object.fromEntries(plain)), type, message, stack, reason: reasonOf(error) };
}

/** Writes the buffered lines now. For processes that may be suspended at any time. */
export function flushLog(): void {
  sharedOutput?.flushSync();
}

let sharedOutput: ReturnType<typeof destination> | undefined;

/**
 * Buffers lines for at most 100 ms, and flushes on exit: a system call per line would be a tenth of the cost of an RPC.
 * Shared by the whole process, so that lines of different loggers stay in order.
 */
function standardOutput(): DestinationStream {
  sharedOutput ??= destination({ dest: 1, sync: false, minLength: 8 * 1024, periodicFlush: 100 });
  return sharedOutput;
}
