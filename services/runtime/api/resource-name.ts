/**
 * Resource names (AIP-122): a pattern such as `orders/{order}/payments/{payment}` with one variable per segment.
 */

/** The variable names of a pattern. */
type VariablesOf<Pattern extends string> = Pattern extends `${string}{${infer Name}}${infer Rest}`
  ? Name | VariablesOf<Rest>
  : never;

/** The variables of a pattern with their values, which are non-empty and contain no slash. */
export type NameParts<Pattern extends string> = Record<VariablesOf<Pattern>, string>;

/** Longer segments are rejected: every service's ids and the database's keys are shorter. */
const MAX_SEGMENT_LENGTH = 255;

/** Formats a resource name. Throws a RangeError for a value that is empty or contains a slash. */
export function formatName<const Pattern extends string>(pattern: Pattern, parts: NameParts<Pattern>): string {
  const values: Readonly<Record<string, string>> = parts;
  return pattern.replace(/\{([^}]*)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined || value === "" || value.includes("/")) {
      throw new RangeError(`${JSON.stringify(value)} cannot be the ${name} of ${pattern}`);
    }
    return value;
  });
}

/** Parses a resource name, or returns undefined if it does not match the pattern. The wildcard `-` is a valid value. */
export function parseName<const Pattern extends string>(
  pattern: Pattern,
  name: string,
): NameParts<Pattern> | undefined {
  const wanted = pattern.split("/");
  const given = name.split("/");
  if (wanted.length !== given.length) {
    return undefined;
  }
  const parts: Record<string, string> = {};
  for (const [i, segment] of wanted.entries()) {
    const value = given[i] ?? "";
    const variable = /^\{([^}]*)\}$/.exec(segment)?.[1];
    if (variable === undefined) {
      if (value !== segment) {
        return undefined;
      }
    } else if (value === "" || value.length > MAX_SEGMENT_LENGTH) {
      return undefined;
    } else {
      parts[variable] = value;
    }
  }
  return parts as NameParts<Pattern>;
}
