import { type DestinationStream, destination, type Logger as PinoLogger, pino } from "pino";

import { reasonOf } from "../errors.ts";

/** The one logger type of the code base: pino's, one JSON object a line. */
export type Logger = PinoLogger;

export interface LogOptions {
  /** `fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`. Can be changed while running by `logger.level`. */
  readonly level: string;
  /** The service: `order`, `gateway`, `standalone`, … */
  readonly name: string;
  /** Where lines go; standard output unless given. */
  readonly destination?: DestinationStream;
}

/** Field names whose values never reach a log, at the top of a line or one object down. */
const secretFields: ReadonlySet<string> = new Set([
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
]);

type Fields = Record<string, unknown>;

const isPlainObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Error);

/**
 * The same fields, a copy only where something had to be blotted out. Pino's own redaction copies every object of
 * every line, which costs more than writing the line.
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
 * A logger whose lines carry `level` as a word, `time` as ISO 8601 UTC and `name`, with the values of well-known
 * secret and personal fields replaced by `[redacted]`. An `Error` under `err` is written with its stack and causes.
 */
export function createLogger(options: LogOptions): Logger {
  const settings = {
    level: options.level,
    base: { name: options.name },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: errorFields },
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (fields: Fields) => withoutSecrets(fields),
      bindings: (bindings: Fields) => withoutSecrets(bindings),
    },
  };
  return pino(settings, options.destination ?? standardOutput());
}

/**
 * An error's type, message, stack (causes included), its plain properties such as `code`, and the reason of one of ours.
 * Other properties may be whole object graphs: a ConnectError's details hold the descriptors of their messages.
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

let sharedOutput: DestinationStream | undefined;

/**
 * Lines leave together, at the latest after 100 ms and when the process exits: a system call for each would be
 * a tenth of what an RPC costs. One for the whole process, so that lines of two loggers keep their order.
 */
function standardOutput(): DestinationStream {
  sharedOutput ??= destination({ dest: 1, sync: false, minLength: 8 * 1024, periodicFlush: 100 });
  return sharedOutput;
}
