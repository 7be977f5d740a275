/**
 * The state of a payment, derived from the known facts. The facts form a set that only grows, and the state is a
 * function of that set alone. Callbacks, polls and responses may therefore arrive repeatedly and in any order: the same
 * facts yield the same state.
 *
 * ```
 *            action_required                authorized                 captured
 *   CREATED ----------------> REQUIRES_ACTION --------> AUTHORIZED ---------------> CAPTURED
 *      |                          |                      ^   |                        ^
 *      |  failed, expired, voided |      late authorized |   | voided                 |
 *      +--------------------------+--> FAILED  ----------+   |                        |
 *                                      EXPIRED ----------+   v        late captured   |
 *                                      VOIDED <----------(stays) ---------------------+
 * ```
 *
 * Money takes precedence: a captured payment is CAPTURED whatever came before. A void outlives an authorization that is
 * reported after it. EXPIRED and FAILED keep their name when the provider then confirms the void.
 */
export const PAYMENT_STATES = [
  "CREATED",
  "REQUIRES_ACTION",
  "AUTHORIZED",
  "CAPTURED",
  "VOIDED",
  "FAILED",
  "EXPIRED",
] as const;
export type PaymentState = (typeof PAYMENT_STATES)[number];

export const PAYMENT_FACTS = ["action_required", "failed", "expired", "authorized", "voided", "captured"] as const;
export type PaymentFact = (typeof PAYMENT_FACTS)[number];

/** The first row whose facts are all known determines the state. */
const STATE_BY_FACTS: readonly (readonly [readonly PaymentFact[], PaymentState])[] = [
  [["captured"], "CAPTURED"],
  [["voided", "authorized"], "VOIDED"],
  [["authorized"], "AUTHORIZED"],
  [["expired"], "EXPIRED"],
  [["failed"], "FAILED"],
  [["voided"], "VOIDED"],
  [["action_required"], "REQUIRES_ACTION"],
];

/** Returns the state of a payment with exactly these facts. */
export function stateOf(facts: ReadonlySet<PaymentFact>): PaymentState {
  const row = STATE_BY_FACTS.find(([needed]) => needed.every((fact) => facts.has(fact)));
  return row?.[1] ?? "CREATED";
}

/** Operations that a caller may request. */
export type PaymentAction = "capture" | "void" | "refund";

/** Operations allowed in each state; amounts and pending operations are checked separately. */
const ALLOWED = {
  CREATED: ["void"],
  REQUIRES_ACTION: ["void"],
  AUTHORIZED: ["capture", "void"],
  CAPTURED: ["capture", "refund"],
  VOIDED: [],
  FAILED: [],
  EXPIRED: [],
} as const satisfies Record<PaymentState, readonly PaymentAction[]>;

/** The actions that a state allows. */
export function allowedActions(state: PaymentState): readonly PaymentAction[] {
  return ALLOWED[state];
}
