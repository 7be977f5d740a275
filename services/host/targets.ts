/** Targets of a process: the services, and the gateway in front of them. */
export const serviceNames = ["order", "payment", "logistics", "inventory", "operations"] as const;

export type ServiceName = (typeof serviceNames)[number];

export const targetNames = [...serviceNames, "gateway"] as const;

export type Target = (typeof targetNames)[number];

/** Parses a list of targets such as `order,payment` or `all`; reports an unknown name. */
export function targetsOf(names: readonly string[]): ReadonlySet<Target> | { readonly unknown: string } {
  const wanted = names.flatMap((name) => (name === "all" ? targetNames : [name]));
  const unknown = wanted.find((name) => !targetNames.some((target) => target === name));
  return unknown === undefined ? new Set(wanted as Target[]) : { unknown };
}
