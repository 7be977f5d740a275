/**
 * Resource names (AIP-122): a pattern such as `orders/{order}/payments/{payment}` with one variable per segment.
 */

/** The names of a pattern's variables. */
type VariablesOf<Pattern extends string> = Pattern extends `${string}{${infer Name}}${infer Rest}`
  ? Name | VariablesOf<Rest>
  : never;

/** A pattern's variables with their values, which are not empty and hold no slash. */
export type NameParts<Pattern extends string> = Record<VariablesOf<Pattern>, string>;

/** Longer segments are refused: no id of any service is as long, and keys of the database are shorter. */
const MAX_SEGMENT_LENGTH = 255;

/** The name that the pattern gives with these values. Throws a RangeError for a value that is empty or holds a slash. */
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

/** The values in a name of this pattern, or undefined when the name does not fit it. The wildcard `-` is a value. */
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
