/**
 * Where a payment stands, derived from what is known of it.
 *
 * What is known is a set of facts that only grows; the state is a function of the set and of nothing else. So callbacks,
 * polls and answers may come repeated and in any order: the same facts end in the same state.
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
 * Money decides over everything: what was captured is CAPTURED whatever came before. A void outlives an authorization
 * that is heard of after it. EXPIRED and FAILED keep their name when the provider then confirms the void.
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

/** The first row whose facts are all known names the state. */
const STATE_BY_FACTS: readonly (readonly [readonly PaymentFact[], PaymentState])[] = [
  [["captured"], "CAPTURED"],
  [["voided", "authorized"], "VOIDED"],
  [["authorized"], "AUTHORIZED"],
  [["expired"], "EXPIRED"],
  [["failed"], "FAILED"],
  [["voided"], "VOIDED"],
  [["action_required"], "REQUIRES_ACTION"],
];

/** The state of a payment of which exactly these facts are known. */
export function stateOf(facts: ReadonlySet<PaymentFact>): PaymentState {
  const row = STATE_BY_FACTS.find(([needed]) => needed.every((fact) => facts.has(fact)));
  return row?.[1] ?? "CREATED";
}

/** What a caller may ask for. */
export type PaymentAction = "capture" | "void" | "refund";

/** What may be asked for in which state; amounts and running operations are looked at besides. */
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
