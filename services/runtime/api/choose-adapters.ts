import { ConfigError } from "../config/config-error.ts";

/**
 * Creates the chosen adapters of a table, in the chosen order.
 *
 * @param noun names the adapters in the error, for example `payment provider`.
 * @throws ConfigError that lists the table's names, for a name that is not in the table or if none is chosen
 */
export function chooseAdapters<Settings, Adapter>(
  table: Readonly<Record<string, (settings: Settings) => Adapter>>,
  names: readonly string[],
  noun: string,
  settings: Settings,
): readonly Adapter[] {
  const known = `Known ${noun}s: ${Object.keys(table).join(", ")}.`;
  if (names.length === 0) {
    throw new ConfigError([`No ${noun} is configured. ${known}`]);
  }
  return [...new Set(names)].map((name) => {
    const create = Object.hasOwn(table, name) ? table[name] : undefined;
    if (create === undefined) {
      throw new ConfigError([`Unknown ${noun} ${JSON.stringify(name)}. ${known}`]);
    }
    return create(settings);
  });
}
