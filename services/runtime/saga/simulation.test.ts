import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Attempt, type Ending, type Happening, type Plan, simulate } from "./testing/simulation.ts";

const attempt = fc.constantFrom<Attempt>("done", "done", "refuse", "throw before", "throw after", "later", "bad write");
const backward = fc.constantFrom<Attempt>("done", "throw before", "throw after", "later");

const pick = fc.nat({ max: 999 });
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant("go" as const), pick }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("claim" as const), pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("tick" as const), ms: fc.constantFrom(1, 60, 400, 1_001) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("crash" as const, "break" as const), pick }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom<"signal" | "compensate" | "pause" | "resume" | "retry">(
        ...(["signal", "signal", "compensate", "pause", "resume", "retry"] as const),
      ),
      pick,
    }),
  },
);

const plan: fc.Arbitrary<Plan> = fc.record({
  sagas: fc.integer({ min: 1, max: 3 }),
  deadlineMs: fc.constantFrom(undefined, undefined, undefined, 900),
  steps: fc.array(
    fc.record({
      undoable: fc.constantFrom(true, true, false),
      waits: fc.constantFrom(false, false, true),
      attention: fc.constantFrom(false, false, true),
      forward: fc.array(attempt, { maxLength: 4 }),
      backward: fc.array(backward, { maxLength: 4 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  happenings: fc.array(happening, { maxLength: 120, size: "max" }),
});

/** Reads what a saga's transactions wrote as its definition promises it: forward in order, back in reverse, each once. */
function checkLines(lines: readonly string[], steps: number, ended: string): void {
  let direction: "forward" | "back" | "succeeded" | "compensated" = "forward";
  let stopped = false;
  let at = 0;
  for (const line of lines) {
    const [what, nth = ""] = line.split(" ");
    const step = Number(nth);
    expect([line, stopped && (what === "do" || what === "undo")]).toEqual([line, false]);
    switch (what) {
      case "do":
        expect([direction, step]).toEqual(["forward", at]);
        at += 1;
        break;
      case "undo":
        expect([line, direction, step <= at]).toEqual([line, "back", true]);
        at = step - 1;
        break;
      case "onSucceeded":
        expect([direction, at]).toEqual(["forward", steps]);
        direction = "succeeded";
        break;
      case "onCompensating":
        expect([line, direction === "forward" || direction === "succeeded"]).toEqual([line, true]);
        direction = "back";
        stopped = false;
        break;
      case "onCompensated":
        expect([line, direction]).toEqual([line, "back"]);
        direction = "compensated";
        break;
      case "onNeedsAttention":
        stopped = true;
        break;
      case "onRetried":
        if (direction === "compensated") {
          direction = "forward";
          at = 0;
        }
        stopped = false;
        break;
      default:
        throw new Error(`what is ${line}?`);
    }
  }
  expect([direction, stopped]).toEqual([ended.toLowerCase(), false]);
}

/** No effect is left behind or missing in the world outside, whatever was lost on the way. */
function checkEffects({ effects, statuses }: Ending, { steps }: Plan): void {
  for (const [id, { status, round: lastRound }] of statuses) {
    for (let round = 0; round <= lastRound; round++) {
      steps.forEach(({ undoable }, at) => {
        const key = [id, `step-${at}`, ...(round === 0 ? [] : [round])].join("/");
        const effect = effects.get(key);
        const stands = effect?.applied === true && !effect.undone;
        if (status === "SUCCEEDED" && round === lastRound) {
          expect([key, stands]).toEqual([key, true]);
        } else if (undoable) {
          expect([key, stands]).toEqual([key, false]);
        }
      });
    }
  }
}

test("whatever crashes, stalls or is lost, every saga ends, each step once and in order, and no effect is left over", async () => {
  // biome-ignore lint/style/noProcessEnv: how many runs is the caller's choice
  const runs = Number(process.env["DOCKET_SIMULATIONS"] ?? 1_000);
  await fc.assert(
    fc.asyncProperty(plan, async (plan) => {
      const ending = await simulate(plan);
      for (const [id, { status }] of ending.statuses) {
        expect(["SUCCEEDED", "COMPENSATED"]).toContain(status);
        checkLines(ending.lines.get(id) ?? [], plan.steps.length, status);
      }
      checkEffects(ending, plan);
    }),
    { numRuns: runs },
  );
}, 600_000);
