import { expect, test } from "@jest/globals";
import {
  allowedActions,
  PAYMENT_FACTS,
  PAYMENT_STATES,
  type PaymentFact,
  type PaymentState,
  stateOf,
} from "./payment-state.ts";

/** Every set of facts: 64. */
const sets = Array.from(
  { length: 2 ** PAYMENT_FACTS.length },
  (_, bits) => new Set(PAYMENT_FACTS.filter((_fact, i) => (bits >> i) & 1)),
);

test("every state is reachable, and every set of facts has a state", () => {
  expect(new Set(sets.map(stateOf))).toEqual(new Set(PAYMENT_STATES));
});

test("a single fact yields the state of its name", () => {
  const alone = Object.fromEntries(PAYMENT_FACTS.map((fact) => [fact, stateOf(new Set([fact]))]));
  expect(alone).toEqual({
    action_required: "REQUIRES_ACTION",
    failed: "FAILED",
    expired: "EXPIRED",
    authorized: "AUTHORIZED",
    voided: "VOIDED",
    captured: "CAPTURED",
  });
});

test("these are exactly the transitions that a further fact can cause", () => {
  const moves: Record<PaymentState, Set<string>> = Object.fromEntries(
    PAYMENT_STATES.map((state) => [state, new Set<string>()]),
  ) as Record<PaymentState, Set<string>>;
  for (const facts of sets) {
    for (const fact of PAYMENT_FACTS) {
      const before = stateOf(facts);
      const after = stateOf(new Set<PaymentFact>([...facts, fact]));
      if (after !== before) {
        moves[before].add(`${fact} → ${after}`);
      }
    }
  }
  expect(Object.fromEntries(Object.entries(moves).map(([state, to]) => [state, [...to].sort()]))).toEqual({
    CREATED: [
      "action_required → REQUIRES_ACTION",
      "authorized → AUTHORIZED",
      "captured → CAPTURED",
      "expired → EXPIRED",
      "failed → FAILED",
      "voided → VOIDED",
    ],
    REQUIRES_ACTION: [
      "authorized → AUTHORIZED",
      "captured → CAPTURED",
      "expired → EXPIRED",
      "failed → FAILED",
      "voided → VOIDED",
    ],
    AUTHORIZED: ["captured → CAPTURED", "voided → VOIDED"],
    CAPTURED: [],
    // A failure or an expiry that is reported after the void names the state; a void of an authorized payment stays
    // VOIDED.
    VOIDED: ["captured → CAPTURED", "expired → EXPIRED", "failed → FAILED"],
    FAILED: ["authorized → AUTHORIZED", "authorized → VOIDED", "captured → CAPTURED", "expired → EXPIRED"],
    EXPIRED: ["authorized → AUTHORIZED", "authorized → VOIDED", "captured → CAPTURED"],
  });
});

test("captured money is CAPTURED whatever else is known", () => {
  for (const facts of sets) {
    expect(stateOf(new Set([...facts, "captured" as const]))).toBe("CAPTURED");
  }
});

test("a void outlives an authorization that is reported after it", () => {
  expect(stateOf(new Set(["voided", "authorized"]))).toBe("VOIDED");
});

test("each state allows what its money allows", () => {
  expect(Object.fromEntries(PAYMENT_STATES.map((state) => [state, allowedActions(state)]))).toEqual({
    CREATED: ["void"],
    REQUIRES_ACTION: ["void"],
    AUTHORIZED: ["capture", "void"],
    CAPTURED: ["capture", "refund"],
    VOIDED: [],
    FAILED: [],
    EXPIRED: [],
  });
});
