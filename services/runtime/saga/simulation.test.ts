import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  type Attempt,
  type Ending,
  type Happening,
  type Plan,
  type PlantedFault,
  simulate,
} from "./testing/simulation.ts";

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
      isolated: fc.constantFrom(false, false, false, true),
      returnsState: fc.constantFrom(false, false, true),
      forward: fc.array(attempt, { maxLength: 4 }),
      backward: fc.array(backward, { maxLength: 4 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  happenings: fc.array(happening, { maxLength: 120, size: "max" }),
});

/**
 * Reads what a saga's batches wrote as its definition promises it: forward in order, back in reverse, each once. With
 * `repeats`, steps may be undone that were begun but never stored.
 */
function checkLines(lines: readonly string[], steps: number, ended: string, repeats: boolean): void {
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
        at = repeats ? steps : at;
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

/** Whether a segment may be repeated, because its runner is lost or it cannot be stored. */
function repeatsSteps({ happenings, steps }: Plan): boolean {
  return (
    happenings.some(({ kind }) => kind === "crash" || kind === "break" || kind === "tick") ||
    steps.some(({ forward }) => forward.includes("bad write"))
  );
}

/** Runs the plan and checks its end. */
async function check(plan: Plan, fault?: PlantedFault): Promise<void> {
  const ending = await simulate(plan, fault);
  for (const [id, { status }] of ending.statuses) {
    expect(["SUCCEEDED", "COMPENSATED"]).toContain(status);
    checkLines(ending.lines.get(id) ?? [], plan.steps.length, status, repeatsSteps(plan));
  }
  checkEffects(ending, plan);
}

test("whatever crashes, stalls or is lost, every saga ends, each step once and in order, and no effect is left over", async () => {
  // biome-ignore lint/style/noProcessEnv: how many runs is the caller's choice
  const runs = Number(process.env["DOCKET_SIMULATIONS"] ?? 1_000);
  await fc.assert(
    fc.asyncProperty(plan, (plan) => check(plan)),
    { numRuns: runs },
  );
}, 600_000);

test("the simulation finds a checkpoint that is not fenced by the epoch", async () => {
  const { failed } = await fc.check(
    fc.asyncProperty(plan, (plan) => check(plan, "no fence")),
    { numRuns: 1_000, endOnFailure: true, seed: 1 },
  );
  expect(failed).toBe(true);
}, 600_000);

const go: Happening = { kind: "go", pick: 1 };
const claim: Happening = { kind: "claim", pick: 0 };
const reliable = { undoable: true, waits: false, attention: false, isolated: false, returnsState: false } as const;
const segments: Record<string, Plan["steps"]> = {
  "that succeeds": [
    { ...reliable, forward: [], backward: [] },
    { ...reliable, forward: [], backward: [] },
    { ...reliable, forward: [], backward: [] },
  ],
  "that is compensated": [
    { ...reliable, forward: [], backward: [] },
    { ...reliable, forward: [], backward: [] },
    { ...reliable, forward: ["refuse", "refuse", "refuse"], backward: [] },
  ],
};

for (const [name, steps] of Object.entries(segments)) {
  test(`a segment ${name} survives a crash, a stall and a lost response before and after each call and write`, async () => {
    for (let gates = 0; gates <= 16; gates++) {
      const until = Array.from({ length: gates }, () => go);
      const crash: Happening[] = [claim, ...until, { kind: "crash", pick: 0 }];
      const lease: Happening = { kind: "tick", ms: 1_001 };
      const others = Array.from({ length: 20 }, () => go);
      const stall: Happening[] = [claim, ...until, lease, claim, ...others];
      const lost: Happening[] = [claim, ...until, { kind: "break", pick: 0 }];
      const cancelled: Happening[] = [...crash, { kind: "compensate", pick: 0 }];
      for (const happenings of [crash, stall, lost, cancelled]) {
        await check({ sagas: 1, deadlineMs: undefined, steps, happenings });
      }
    }
  });
}
