import * as v from "valibot";
import { durationPattern, durationText, millisecondsOf } from "./duration.ts";
import { type Declaration, declareSetting, type Setting, type ValueOf } from "./setting.ts";

/** Kinds of settings with a single value. Each checks text and, where JSON has the type, its own type. */

/** Inclusive bounds. */
interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

const plain = { secret: false, fromFile: false };

/** Any text. */
export function text<const D extends Declaration<string>>(
  variable: string,
  declaration: D,
): Setting<ValueOf<string, D>> {
  return declareSetting(textSchema, declaration, { variable, allowed: "text", ...plain });
}

const textSchema = v.string("must be text (in quotes, if YAML would read something else)");

/** A confidential text with bounds on its number of characters, which can also be read from the file of `NAME_FILE`. */
export function secret<const D extends Declaration<string> & Required<Bounds>>(
  variable: string,
  declaration: D,
): Setting<ValueOf<string, D>> {
  const { min, max } = declaration;
  const allowed = `${min} to ${max} characters`;
  const problem = `must have ${allowed}`;
  const schema = v.pipe(textSchema, v.minLength(min, problem), v.maxLength(max, problem));
  return declareSetting(schema, declaration, { variable, allowed, secret: true, fromFile: true });
}

/** A whole number. `unit` names what it counts, for example "bytes". */
export function integer<const D extends Declaration<number> & Bounds & { readonly unit?: string }>(
  variable: string,
  declaration: D,
): Setting<ValueOf<number, D>> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER, unit } = declaration;
  const bounds = max === Number.MAX_SAFE_INTEGER ? `, ${min} or more` : ` from ${min} to ${max}`;
  const allowed = `a whole number${unit === undefined ? "" : ` of ${unit}`}${bounds}`;
  const problem = `must be ${allowed}`;
  const number = v.pipe(v.number(problem), v.safeInteger(problem), v.minValue(min, problem), v.maxValue(max, problem));
  const digits = v.pipe(v.string(), v.regex(/^[0-9]+$/, problem), v.transform(Number), number);
  return declareSetting(v.union([number, digits], problem), declaration, { variable, allowed, ...plain });
}

/** A TCP port; 0 means any free one. */
export function port<const D extends Declaration<number>>(
  variable: string,
  declaration: D,
): Setting<ValueOf<number, D>> {
  return integer(variable, { ...declaration, min: 0, max: 65_535 });
}

/** Bounds of a duration, as text such as `1s`. */
interface DurationBounds {
  readonly min?: string;
  readonly max?: string;
}

/** A duration such as `250ms`, `30s`, `15m`, `2h` or `7d`, in milliseconds. */
export function milliseconds<const D extends Declaration<string> & DurationBounds>(
  variable: string,
  declaration: D,
): Setting<ValueOf<number, D>> {
  const min = millisecondsOf(declaration.min ?? "0ms");
  const max = declaration.max === undefined ? Number.MAX_SAFE_INTEGER : millisecondsOf(declaration.max);
  const from = min === 0 ? "" : ` of ${durationText(min)} or more`;
  const bounds = declaration.max === undefined ? from : ` from ${durationText(min)} to ${durationText(max)}`;
  const problem = "must be a time such as 250ms, 30s, 15m, 2h or 7d";
  const outside = bounds === "" ? problem : `must be a time${bounds}`;
  const schema = v.pipe(
    v.string(problem),
    v.regex(durationPattern, problem),
    v.transform(millisecondsOf),
    v.safeInteger(outside),
    v.minValue(min, outside),
    v.maxValue(max, outside),
  );
  return declareSetting(schema, declaration, { variable, allowed: `a time${bounds}`, ...plain });
}

/** `true` or `false`. */
export function flag<const D extends Declaration<boolean>>(
  variable: string,
  declaration: D,
): Setting<ValueOf<boolean, D>> {
  const word = v.pipe(
    v.picklist(["true", "false"]),
    v.transform((value) => value === "true"),
  );
  const schema = v.union([v.boolean(), word], "must be true or false");
  return declareSetting(schema, declaration, { variable, allowed: "true or false", ...plain });
}

/** One of several words. */
export function oneOf<const W extends readonly string[], const D extends Declaration<W[number]>>(
  variable: string,
  words: W,
  declaration: D,
): Setting<ValueOf<W[number], D>> {
  const allowed = `one of ${words.join(", ")}`;
  const schema = v.picklist(words, `must be ${allowed}`);
  return declareSetting(schema, declaration, { variable, allowed, ...plain });
}

/**
 * A URL with one of these schemes (without the colon). Can also be read from the file of `NAME_FILE`, because it may
 * contain a password.
 */
export function url<const D extends Declaration<string>>(
  variable: string,
  schemes: readonly string[],
  declaration: D,
): Setting<ValueOf<string, D>> {
  const allowed = `a URL of the form ${schemes.map((scheme) => `${scheme}:…`).join(" or ")}`;
  const problem = `must be ${allowed}`;
  // Both cases of each letter, because JSON Schema has no flag for it.
  const anyCase = (scheme: string) => scheme.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
  const pattern = new RegExp(`^(${schemes.map(anyCase).join("|")}):`);
  const schema = v.pipe(v.string(problem), v.regex(pattern, problem));
  return declareSetting(schema, declaration, { variable, allowed, secret: true, fromFile: true });
}
