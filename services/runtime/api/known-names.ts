import type { FieldViolation } from "../errors.ts";

/**
 * Returns a violation if the value is not one of a closed list of names. `noun` describes the value in the message, for
 * example `carrier`. Empty names mean a default and always pass.
 */
export function unknownName(
  field: string,
  noun: string,
  name: string,
  known: Iterable<string>,
): readonly FieldViolation[] {
  const names = [...known];
  return name === "" || names.includes(name)
    ? []
    : [{ field, description: `Unknown ${noun} ${JSON.stringify(name)}. Known ${noun}s: ${names.join(", ")}.` }];
}
