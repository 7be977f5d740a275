import type { FieldViolation } from "../errors.ts";

/**
 * The violation of a field that must name one of a closed list, or nothing where it does. `noun` says what is named, for
 * example `carrier`; empty names stand for a default and are never refused.
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
