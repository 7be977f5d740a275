/**
 * The sandbox's behaviours by payment token: lists of scheduled steps. Delays count from the opening, in units of the
 * configured delay; `late` counts from the payment's expiry.
 */
export interface ScriptStep {
  readonly kind: "action_required" | "authorized" | "captured" | "failed";
  readonly delay?: number;
  readonly late?: boolean;
  /** The captured part of the amount; defaults to all of it. */
  readonly half?: boolean;
  readonly message?: string;
}

export interface Behaviour {
  readonly steps: readonly ScriptStep[];
  /** Further delays of each callback, one number per sending. Defaults to one immediate sending. */
  readonly sends?: readonly number[];
  /** Order in which the steps' callbacks are sent; defaults to chronological. */
  readonly backwards?: boolean;
  /** Whether a void is too late. */
  readonly unstoppable?: boolean;
  readonly refundsFail?: boolean;
  /** Captures take half of the requested amount. */
  readonly capturesHalf?: boolean;
}

const paid: readonly ScriptStep[] = [
  { kind: "authorized", delay: 1 },
  { kind: "captured", delay: 1 },
];

/** `captured` is skipped without automatic capture. */
const BEHAVIOURS = {
  tok_success: { steps: paid },
  tok_decline: { steps: [{ kind: "failed", message: "the card was declined" }] },
  tok_timeout: { steps: [] },
  tok_late_success: {
    steps: [
      { kind: "authorized", late: true },
      { kind: "captured", late: true },
    ],
    unstoppable: true,
  },
  tok_duplicate: { steps: paid, sends: [0, 0, 0, 0, 2, 4] },
  tok_reordered: {
    steps: [
      { kind: "authorized", delay: 1 },
      { kind: "captured", delay: 2 },
    ],
    backwards: true,
  },
  tok_action: { steps: [{ kind: "action_required" }] },
  tok_partial: {
    steps: [
      { kind: "authorized", delay: 1 },
      { kind: "captured", delay: 1, half: true },
    ],
    capturesHalf: true,
  },
  tok_refund_fails: { steps: paid, refundsFail: true },
} as const satisfies Record<string, Behaviour>;

const known = new Map<string, Behaviour>(Object.entries(BEHAVIOURS));

/** Stored in place of a token that is none of the known ones. */
const unknownToken = "unknown";

/** The token to store: shoppers' own texts are not kept. Without a token the shopper must act. */
export function storedToken(token: string): string {
  return token === "" ? "tok_action" : known.has(token) ? token : unknownToken;
}

/** Returns the behaviour of a stored token. An unknown token is declined. */
export function behaviourOf(token: string): Behaviour {
  const message = `unknown payment token; the sandbox supports ${[...known.keys()].join(", ")}`;
  return known.get(token) ?? { steps: [{ kind: "failed", message }] };
}
