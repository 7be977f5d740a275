/** The course of a sandbox parcel. The booked service selects it. */
export interface Script {
  /** The sandbox's statuses in chronological order, one per step. */
  readonly stages: readonly (keyof typeof words)[];
  /** Number of times each callback is sent; 1 by default. */
  readonly repeat?: number;
  /** The order in which callbacks are sent. `at once`: without a delay between stages. `never`: no callbacks. */
  readonly sent?: "in order" | "reversed" | "at once" | "never";
}

/** The sandbox's statuses, each with its human-readable message. */
export const words = {
  info_received: "the parcel was announced",
  in_transit: "the parcel is in transit",
  out_for_delivery: "the parcel is in the delivery vehicle",
  attempt_failed: "the recipient was not at home",
  lost: "the parcel cannot be found",
  delivered: "the parcel was handed over",
  returning: "the parcel is being returned",
  returned: "the parcel was returned to its sender",
} as const;

export type SandboxWord = keyof typeof words;

const delivery = ["info_received", "in_transit", "out_for_delivery", "delivered"] as const;

/** Scripts by service. `refuse` has none, as its bookings are refused. */
export const scripts: Readonly<Record<string, Script>> = {
  standard: { stages: delivery },
  deliver_now: { stages: ["in_transit", "delivered"], sent: "at once" },
  stay: { stages: delivery, sent: "never" },
  duplicate: { stages: delivery, repeat: 3 },
  reordered: { stages: delivery, sent: "reversed" },
  lost: { stages: ["info_received", "in_transit", "lost"] },
  attempt_failed: {
    stages: ["info_received", "in_transit", "out_for_delivery", "attempt_failed", "out_for_delivery", "delivered"],
  },
  return: {
    stages: ["info_received", "in_transit", "out_for_delivery", "attempt_failed", "returning", "returned"],
  },
};

/** Returns the script of a service, or undefined for an unknown one. An empty name selects `standard`. */
export function scriptOf(service: string): Script | undefined {
  const name = service || "standard";
  return Object.hasOwn(scripts, name) ? scripts[name] : undefined;
}

/** Names of all services, for error messages. */
export const serviceNames = [...Object.keys(scripts), "refuse"];

/** Returns whether the status means that the sandbox has collected the parcel. */
export function isCollected(word: SandboxWord): boolean {
  return word !== "info_received";
}
