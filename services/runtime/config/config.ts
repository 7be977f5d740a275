import { readFileSync } from "node:fs";
import { type Networks, parseNetworks } from "../../../gateway/http/client-address.ts";

/** Source of configuration: `process.env`, or any object in a test. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * One setting: its variable and the parser of its text.
 *
 * Created with `text`, `secret`, `integer`, `port`, `milliseconds`, `flag`, `oneOf`, `url` and `list`.
 */
export interface Setting<T> {
  readonly name: string;
  /** Value if the variable is unset or empty. Without it the setting is required. */
  readonly fallback?: { readonly value: T };
  /** Whether `NAME_FILE`, the path of a file with the value (such as a mounted secret), is also read. */
  readonly fromFile?: boolean;
  /** @throws Invalid */
  parse(text: string): T;
}

type Settings = Readonly<Record<string, Setting<unknown>>>;

/** The parsed settings of a schema. */
export type ConfigOf<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** An invalid value. The message says what is valid, and never repeats the value. */
class Invalid extends Error {}

/** The environment is invalid. Lists every problem, one per line, without values. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the configuration is not usable:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

/**
 * Reads all settings of a schema.
 *
 * @throws ConfigError with all problems: missing, unreadable and invalid values.
 */
export function readConfig<const S extends Settings>(environment: Environment, settings: S): ConfigOf<S> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(settings)) {
    try {
      values[key] = readSetting(environment, setting);
    } catch (error) {
      if (!(error instanceof Invalid)) {
        throw error;
      }
      problems.push(`${setting.name} ${error.message}`);
    }
  }
  if (problems.length > 0) {
    throw new ConfigError(problems);
  }
  return values as ConfigOf<S>;
}

function readSetting(environment: Environment, setting: Setting<unknown>): unknown {
  const given = environment[setting.name] || (setting.fromFile === true && fileText(environment, setting.name));
  if (given) {
    return setting.parse(given.trim());
  }
  if (setting.fallback === undefined) {
    throw new Invalid(setting.fromFile === true ? `is required (or ${setting.name}_FILE)` : "is required");
  }
  return setting.fallback.value;
}

function fileText(environment: Environment, name: string): string | undefined {
  const path = environment[`${name}_FILE`];
  if (!path) {
    return undefined;
  }
  try {
    return readFileSync(path, "utf8");
  } catch {
    throw new Invalid(`cannot be read from the file that ${name}_FILE names`);
  }
}

interface Fallback<T> {
  /** Value if the variable is unset or empty. Without it, the variable is required. */
  readonly fallback?: T;
}

function setting<T>(name: string, parse: (text: string) => T, options: Fallback<T>): Setting<T> {
  return "fallback" in options ? { name, parse, fallback: { value: options.fallback as T } } : { name, parse };
}

/** Any text. */
export function text(name: string): Setting<string>;
export function text<F extends string | undefined>(name: string, options: { fallback: F }): Setting<string | F>;
export function text(name: string, options: Fallback<string | undefined> = {}): Setting<string | undefined> {
  return setting(name, (value) => value, options);
}

/** A confidential text, which can also be read from the file named by `NAME_FILE`. */
export function secret(name: string): Setting<string>;
export function secret<F extends string | undefined>(
  name: string,
  options: { fallback: F } & SecretLength,
): Setting<string | F>;
export function secret(
  name: string,
  options: Fallback<string | undefined> & SecretLength = {},
): Setting<string | undefined> {
  const { minLength = 1, maxLength = Number.POSITIVE_INFINITY } = options;
  const parse = (value: string): string | undefined => {
    if (value.length < minLength || value.length > maxLength) {
      throw new Invalid(`must have ${minLength} to ${maxLength} characters`);
    }
    return value;
  };
  return { ...setting(name, parse, options), fromFile: true };
}

/** Length bounds in characters. */
interface SecretLength {
  readonly minLength?: number;
  readonly maxLength?: number;
}

/** A whole number within inclusive bounds. */
export function integer(
  name: string,
  options: Fallback<number> & { min?: number; max?: number } = {},
): Setting<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = options;
  const parse = (value: string) => {
    const number = Number(value);
    if (!/^-?\d+$/.test(value) || number < min || number > max) {
      throw new Invalid(`must be a whole number from ${min} to ${max}`);
    }
    return number;
  };
  return setting(name, parse, options);
}

/** A TCP port; 0 means any free one. */
export function port(name: string, options: Fallback<number> = {}): Setting<number> {
  return integer(name, { ...options, min: 0, max: 65_535 });
}

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

type Milliseconds<T> = Fallback<T> & { readonly min?: number; readonly max?: number };

/** A duration such as `250ms`, `30s`, `15m`, `2h` or `7d`, in milliseconds. */
export function milliseconds(name: string, options?: Milliseconds<number>): Setting<number>;
export function milliseconds(name: string, options: Milliseconds<number | undefined>): Setting<number | undefined>;
export function milliseconds(
  name: string,
  options: Milliseconds<number | undefined> = {},
): Setting<number | undefined> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = options;
  const parse = (value: string) => {
    const [, amount, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(value) ?? [];
    if (amount === undefined) {
      throw new Invalid("must be a time such as 250ms, 30s, 15m, 2h or 7d");
    }
    const time = Number(amount) * unitMs[unit as keyof typeof unitMs];
    if (time < min || time > max) {
      throw new Invalid(`must be a time from ${min}ms to ${max}ms`);
    }
    return time;
  };
  return setting(name, parse, options);
}

/** `true` or `false`. */
export function flag(name: string, options: Fallback<boolean> = {}): Setting<boolean> {
  const parse = (value: string) => {
    if (value !== "true" && value !== "false") {
      throw new Invalid("must be true or false");
    }
    return value === "true";
  };
  return setting(name, parse, options);
}

/** One of several words. */
export function oneOf<const T extends string>(
  name: string,
  words: readonly T[],
  options: Fallback<T> = {},
): Setting<T> {
  const parse = (value: string) => {
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) {
      throw new Invalid(`must be one of ${words.join(", ")}`);
    }
    return word;
  };
  return setting(name, parse, options);
}

/**
 * A URL with one of these schemes (without the colon). Can also be read from a file, because it may contain a password.
 */
export function url(name: string, schemes: readonly string[]): Setting<string>;
export function url<F extends string | undefined>(
  name: string,
  schemes: readonly string[],
  options: { fallback: F },
): Setting<string | F>;
export function url(
  name: string,
  schemes: readonly string[],
  options: Fallback<string | undefined> = {},
): Setting<string | undefined> {
  const parse = (value: string): string | undefined => {
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(value)?.[1]?.toLowerCase();
    if (scheme === undefined || !schemes.includes(scheme)) {
      throw new Invalid(`must be a URL of the form ${schemes.map((known) => `${known}:…`).join(" or ")}`);
    }
    return value;
  };
  return { ...setting(name, parse, options), fromFile: true };
}

/** Comma-separated networks (CIDR) and addresses. */
export function networks(name: string, options: Fallback<Networks> = {}): Setting<Networks> {
  const parse = (value: string): Networks => {
    try {
      return parseNetworks(listed(value));
    } catch (error) {
      throw new Invalid(`must be networks such as 10.0.0.0/8 between commas: ${(error as RangeError).message}`);
    }
  };
  return setting(name, parse, options);
}

/** Numbers by name, `name=10,other=20`. */
export function counts(
  name: string,
  options: Fallback<ReadonlyMap<string, number>> = {},
): Setting<ReadonlyMap<string, number>> {
  const parse = (value: string) => {
    const pairs = pairsOf(value, /^\d{1,9}$/, "must be names with numbers between commas, such as first=10,second=20");
    return new Map(pairs.map(([key, count]) => [key, Number(count)]));
  };
  return setting(name, parse, options);
}

/** Texts by name, `name=text,other=text`. */
export function entries(
  name: string,
  options: Fallback<ReadonlyMap<string, string>> = {},
): Setting<ReadonlyMap<string, string>> {
  const problem = "must be names with values between commas, such as first=a,second=b";
  return setting(name, (value) => new Map(pairsOf(value, /^\S+$/, problem)), options);
}

/** @throws Invalid with the problem, unless every item is `name=value` and its value matches */
function pairsOf(text: string, valuePattern: RegExp, problem: string): [name: string, value: string][] {
  return listed(text).map((item) => {
    const [, key, value = ""] = /^([^=\s]+)\s*=\s*(.*)$/.exec(item) ?? [];
    if (key === undefined || !valuePattern.test(value)) {
      throw new Invalid(problem);
    }
    return [key, value];
  });
}

/** Comma-separated texts, trimmed, without empty ones. */
export function list(name: string, options: Fallback<readonly string[]> = {}): Setting<readonly string[]> {
  return setting(name, listed, options);
}

function listed(value: string): readonly string[] {
  return value
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}
