import type { StatusMap } from "../../domain/carrier-status.ts";

/** What a sandbox parcel lives through, by the service that it was booked with. */
export interface Script {
  /** The sandbox's words, in the order in which they happen: one a step. */
  readonly stages: readonly (keyof typeof words)[];
  /** How often each callback is sent. */
  readonly repeat?: number;
  /** In which order callbacks are sent; `at once`: without waiting for the time between two stages. */
  readonly sent?: "in order" | "reversed" | "at once" | "never";
}

/** The sandbox's words with what it says to people. */
export const words = {
  info_received: "the sandbox knows of the parcel",
  in_transit: "the parcel is under way",
  out_for_delivery: "the parcel is in the delivery vehicle",
  attempt_failed: "nobody was at home",
  lost: "the parcel cannot be found",
  delivered: "the parcel was handed over",
  returning: "the parcel goes back",
  returned: "the parcel is back with its sender",
} satisfies Record<keyof StatusMap, string>;

export type SandboxWord = keyof typeof words;

const delivery = ["info_received", "in_transit", "out_for_delivery", "delivered"] as const;

/** `refuse` has no script: its bookings are refused. */
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

/** The script of a service; the empty one is `standard`. */
export function scriptOf(service: string): Script | undefined {
  const name = service || "standard";
  return Object.hasOwn(scripts, name) ? scripts[name] : undefined;
}

/** The services that can be booked, for messages. */
export const serviceNames = [...Object.keys(scripts), "refuse"];

/** The stages at which the sandbox has the parcel in its hands. */
export function isCollected(word: SandboxWord): boolean {
  return word !== "info_received";
}
