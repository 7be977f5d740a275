/** Targets of a process: the services, and the gateway in front of them. */
export const serviceNames = ["order", "payment", "logistics", "inventory", "operations", "sandbox"] as const;

export type ServiceName = (typeof serviceNames)[number];

export const targetNames = [...serviceNames, "gateway"] as const;

export type Target = (typeof targetNames)[number];

/** The services of an installation: all, but the sandbox only where a payment provider or a carrier is the sandbox. */
export function installedServices(config: {
  readonly paymentProviders: readonly string[];
  readonly carriers: readonly string[];
}): readonly ServiceName[] {
  const hasSandbox = [...config.paymentProviders, ...config.carriers].includes("sandbox");
  return serviceNames.filter((name) => name !== "sandbox" || hasSandbox);
}

/** Parses a list of targets such as `order,payment` or `all`; reports an unknown name. */
export function targetsOf(
  names: readonly string[],
  installed: readonly ServiceName[],
): ReadonlySet<Target> | { readonly unknown: string } {
  const wanted = names.flatMap((name) => (name === "all" ? [...installed, "gateway"] : [name]));
  const unknown = wanted.find((name) => !targetNames.some((target) => target === name));
  return unknown === undefined ? new Set(wanted as Target[]) : { unknown };
}
