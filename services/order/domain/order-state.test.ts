import { describe, expect, test } from "@jest/globals";
import {
  allowedTriggers,
  effectiveState,
  type OrderState,
  type OrderStatus,
  type OrderTrigger,
  orderStates,
  orderTriggers,
  transition,
} from "./order-state.ts";

/** Every legal transition; all others must be rejected. */
const expected: Readonly<Record<OrderState, Partial<Record<OrderTrigger, OrderState>>>> = {
  PLACING: {
    AWAIT_PAYMENT: "AWAITING_PAYMENT",
    CONFIRM: "CONFIRMED",
    HOLD: "ON_HOLD",
    CANCEL: "CANCELLING",
    FAIL: "NEEDS_ATTENTION",
  },
  AWAITING_PAYMENT: {
    CONFIRM: "CONFIRMED",
    EXPIRE: "EXPIRED",
    HOLD: "ON_HOLD",
    CANCEL: "CANCELLING",
    FAIL: "NEEDS_ATTENTION",
  },
  CONFIRMED: { SHIP: "FULFILLING", HOLD: "ON_HOLD", CANCEL: "CANCELLING", FAIL: "NEEDS_ATTENTION" },
  FULFILLING: {
    UNSHIP: "CONFIRMED",
    COMPLETE: "COMPLETED",
    HOLD: "ON_HOLD",
    CANCEL: "CANCELLING",
    FAIL: "NEEDS_ATTENTION",
  },
  COMPLETED: {},
  ON_HOLD: { CANCEL: "CANCELLING", FAIL: "NEEDS_ATTENTION" },
  CANCELLING: { END_CANCEL: "CANCELLED", FAIL: "NEEDS_ATTENTION" },
  CANCELLED: { REOPEN: "CONFIRMED", FAIL: "NEEDS_ATTENTION" },
  EXPIRED: { REOPEN: "CONFIRMED", FAIL: "NEEDS_ATTENTION" },
  NEEDS_ATTENTION: { CANCEL: "CANCELLING" },
};

const stopping: ReadonlySet<OrderState> = new Set(["ON_HOLD", "NEEDS_ATTENTION"]);
const running = orderStates.filter((state) => !stopping.has(state));

describe("every state with every trigger", () => {
  for (const state of running) {
    for (const trigger of orderTriggers) {
      const to = expected[state][trigger];
      test(`${state} and ${trigger} ${to === undefined ? "is rejected" : `leads to ${to}`}`, () => {
        const result = transition({ state, resume: undefined }, trigger);
        if (to === undefined) {
          expect(result).toEqual({ ok: false, state, allowed: allowedTriggers({ state, resume: undefined }) });
        } else {
          expect(result).toEqual({ ok: true, to: { state: to, resume: stopping.has(to) ? state : undefined } });
        }
      });
    }
  }
});

describe("a stopped order", () => {
  for (const state of ["ON_HOLD", "NEEDS_ATTENTION"] as const) {
    for (const resume of running) {
      const from: OrderStatus = { state, resume };
      const refused = { ok: false, state, allowed: allowedTriggers(from) };
      for (const trigger of orderTriggers) {
        test(`in ${state} from ${resume} handles ${trigger}`, () => {
          const result = transition(from, trigger);
          switch (trigger) {
            case "RELEASE":
              expect(result).toEqual({ ok: true, to: { state: resume, resume: undefined } });
              break;
            case "CANCEL":
              expect(result).toEqual(
                ["COMPLETED", "CANCELLED", "EXPIRED"].includes(resume)
                  ? refused
                  : { ok: true, to: { state: "CANCELLING", resume: undefined } },
              );
              break;
            case "FAIL":
              expect(result).toEqual(
                state === "ON_HOLD" ? { ok: true, to: { state: "NEEDS_ATTENTION", resume } } : refused,
              );
              break;
            case "HOLD":
              expect(result).toEqual(refused);
              break;
            default: {
              const moved = expected[resume][trigger];
              expect(result).toEqual(moved === undefined ? refused : { ok: true, to: { state, resume: moved } });
            }
          }
        });
      }
    }
  }

  test("counts as being in the state it resumes", () => {
    expect(effectiveState({ state: "ON_HOLD", resume: "FULFILLING" })).toBe("FULFILLING");
    expect(effectiveState({ state: "FULFILLING", resume: undefined })).toBe("FULFILLING");
  });
});

test("a completed order rejects every trigger", () => {
  expect(allowedTriggers({ state: "COMPLETED", resume: undefined })).toEqual([]);
});
