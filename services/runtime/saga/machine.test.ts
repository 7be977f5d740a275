import { describe, expect, test } from "@jest/globals";
import {
  compensateCommand,
  pauseCommand,
  resumeCommand,
  retryCommand,
  type SagaCommand,
  signalCommand,
} from "./commands.ts";
import { advance, MAX_TAKEOVERS, merge, type StepEvent, settle } from "./machine.ts";
import { dueAtOf, type SagaRecord, type SagaShape, type Transition } from "./record.ts";
import { begin } from "./transitions.ts";

const NOW = 1_000_000;
const compensate = () => {};
const shape = {
  steps: [
    { name: "hold", compensate, retry: { maxAttempts: 2 }, compensationRetry: { maxAttempts: 2 } },
    { name: "tell" },
    { name: "await", compensate, waitFor: { signals: ["paid"], deadline: () => ({ afterMs: 500 }) } },
    { name: "ship", compensate, whenExhausted: "needs-attention", retry: { maxAttempts: 1 } },
  ],
} satisfies SagaShape;

const failed = { kind: "failed", message: "broken" } as const;
const refused = { kind: "refused", reason: "NO", message: "not today" } as const;
const done = { kind: "done" } as const;

const advanced = (record: SagaRecord, ...events: readonly StepEvent[]): SagaRecord =>
  events.reduce((at, event) => advance(shape, settle(shape, at, NOW).record, event, NOW, () => 1).record, record);
const applied = (record: SagaRecord, command: SagaCommand, owned = false) =>
  command(record, NOW, owned)?.record ?? record;

const running = begin(shape, { n: 1 }, NOW);
const waiting = advanced(running, done, done);
const signalled = applied(waiting, signalCommand("paid", "e1", 7));
const shipping = advanced(signalled, done);
const succeeded = advanced(shipping, done);
const compensating = advanced(signalled, refused);
const compensated = advanced(running, refused);
const gaveUp = advanced(shipping, failed);
const cannotUndo = advanced(compensating, failed, failed);
const paused = (record: SagaRecord) => applied(record, pauseCommand);

/** A record of each status, and of each way into it that matters for what follows. */
const standing: Record<string, SagaRecord> = {
  RUNNING: running,
  WAITING: waiting,
  "PAUSED while running": paused(running),
  "PAUSED while waiting": paused(waiting),
  "PAUSED while compensating": paused(compensating),
  COMPENSATING: compensating,
  SUCCEEDED: succeeded,
  COMPENSATED: compensated,
  "NEEDS_ATTENTION going forward": gaveUp,
  "NEEDS_ATTENTION going back": cannotUndo,
};

test("the records of this suite stand where their names say", () => {
  for (const [name, record] of Object.entries(standing)) {
    expect([name, record.status]).toEqual([name, name.split(" ")[0]]);
  }
});

describe("commands", () => {
  const commands: Record<string, SagaCommand> = {
    signal: signalCommand("other", "e9", null),
    compensate: compensateCommand("CANCELLED", "by hand"),
    pause: pauseCommand,
    resume: resumeCommand,
    retry: retryCommand(shape),
  };
  /** Where each command leads from each standing; `refused` where it is not possible. */
  const table: Record<string, readonly string[]> = {
    //                               signal             compensate      pause      resume          retry
    RUNNING: ["RUNNING", "COMPENSATING", "PAUSED", "refused", "refused"],
    WAITING: ["WAITING", "COMPENSATING", "PAUSED", "refused", "refused"],
    "PAUSED while running": ["PAUSED", "COMPENSATING", "PAUSED", "RUNNING", "refused"],
    "PAUSED while waiting": ["PAUSED", "COMPENSATING", "PAUSED", "WAITING", "refused"],
    "PAUSED while compensating": ["PAUSED", "COMPENSATING", "PAUSED", "COMPENSATING", "refused"],
    COMPENSATING: ["COMPENSATING", "COMPENSATING", "PAUSED", "refused", "refused"],
    SUCCEEDED: ["SUCCEEDED", "COMPENSATING", "refused", "refused", "refused"],
    COMPENSATED: ["COMPENSATED", "COMPENSATED", "refused", "refused", "RUNNING"],
    "NEEDS_ATTENTION going forward": ["NEEDS_ATTENTION", "COMPENSATING", "refused", "refused", "RUNNING"],
    "NEEDS_ATTENTION going back": ["NEEDS_ATTENTION", "COMPENSATING", "refused", "refused", "COMPENSATING"],
  };

  for (const [name, record] of Object.entries(standing)) {
    for (const [at, [command, run]] of Object.entries(commands).entries()) {
      const expected = table[name]?.[at];
      test(`${command} of a saga that is ${name}: ${expected}`, () => {
        expect(run(record, NOW, false)?.record.status ?? "refused").toBe(expected);
      });
    }
  }

  const undoing: Record<string, boolean> = { COMPENSATING: true, COMPENSATED: true };
  for (const name of ["RUNNING", "WAITING", "COMPENSATING"]) {
    const record = standing[name] ?? running;
    test(`commands to a saga that is ${name} and has a runner change only signals and requests`, () => {
      for (const run of Object.values(commands)) {
        const { signals, requested, ...rest } = run(record, NOW, true)?.record ?? record;
        const { signals: _s, requested: _r, ...before } = record;
        expect(rest).toEqual(before);
      }
      expect(applied(record, pauseCommand, true).requested.pause).toBe(true);
      expect(applied(applied(record, pauseCommand, true), resumeCommand, true).requested.pause).toBe(false);
      const asked = applied(record, compensateCommand("CANCELLED", ""), true).requested.compensate;
      expect(asked?.reason).toBe(undoing[name] ? undefined : "CANCELLED");
    });
  }

  test("a compensation that is asked for wins over a pause", () => {
    const both = applied(applied(running, pauseCommand, true), compensateCommand("CANCELLED", ""), true);
    const { record, hooks } = settle(shape, both, NOW);
    expect(record.status).toBe("COMPENSATING");
    expect(record.requested).toEqual({ compensate: null, pause: false });
    expect(hooks).toEqual(["onCompensating"]);
  });

  test("retrying from a step repeats that one and the later ones, with their signals and their keys", () => {
    const again = retryCommand(shape, "await")(gaveUp, NOW, false);
    expect(again?.hooks).toEqual(["onRetried"]);
    expect(again?.record).toMatchObject({ status: "WAITING", at: 2, round: 0, attention: null, dueAt: NOW });
    expect(again?.record.steps.map(({ status }) => status)).toEqual(["DONE", "DONE", "WAITING", "PENDING"]);
    expect(settle(shape, again?.record ?? gaveUp, NOW).record.wake).toEqual({
      kind: "signal",
      name: "paid",
      payload: 7,
    });
    expect(retryCommand(shape, "nonsense")(gaveUp, NOW, false)).toBeUndefined();
    const early = advanced(running, failed, failed);
    expect(retryCommand(shape, "ship")({ ...gaveUp, at: 0 }, NOW, false)).toBeUndefined();
    expect(early.status).toBe("COMPENSATING");
  });

  test("a compensated saga begins a new round, with what was taken taken and a deadline of its own", () => {
    const timed: SagaShape = { ...shape, deadlineMs: 77 };
    const undone = advanced(compensating, done);
    expect(undone.status).toBe("COMPENSATED");
    const late = applied(undone, signalCommand("paid", "e2", 8));
    const fresh = retryCommand(timed)(late, NOW, false)?.record ?? late;
    expect(fresh).toMatchObject({ status: "RUNNING", at: 0, round: 1, failure: null, deadlineAt: NOW + 77 });
    const again = settle(shape, advanced(fresh, done, done), NOW).record;
    expect(again.wake).toEqual({ kind: "signal", name: "paid", payload: 8 });
  });

  test("a signal is kept once per name and id, and makes due only what waits for it", () => {
    expect(signalled.dueAt).toBe(NOW);
    expect(applied(signalled, signalCommand("paid", "e1", "other"))).toBe(signalled);
    expect(applied(waiting, signalCommand("else", "e1", 1)).dueAt).toBe(NOW + 500);
    expect(applied(succeeded, signalCommand("paid", "e1", 1))).toBe(succeeded);
  });
});

describe("steps going forward", () => {
  const outcome = (record: SagaRecord, event: StepEvent): Transition => advance(shape, record, event, NOW, () => 0.5);

  test("done leads to the next step, which waits where it is to wait, and past the last to success", () => {
    expect(outcome(running, done).record).toMatchObject({ status: "RUNNING", at: 1, dueAt: NOW });
    expect(waiting).toMatchObject({ status: "WAITING", at: 2, dueAt: NOW + 500 });
    expect(outcome(shipping, { kind: "done", state: 2 })).toMatchObject({
      record: { status: "SUCCEEDED", at: 3, state: 2, dueAt: null },
      hooks: ["onSucceeded"],
    });
    expect(succeeded.steps.map(({ status }) => status)).toEqual(["DONE", "DONE", "DONE", "DONE"]);
  });

  test("refused turns round at the step before, or at the step itself after an unknown outcome", () => {
    expect(outcome(shipping, refused)).toMatchObject({
      record: { status: "COMPENSATING", at: 2, failure: { ...{ reason: "NO", step: "ship" } } },
      hooks: ["onCompensating"],
    });
    expect(outcome({ ...shipping, uncertain: true }, refused).record).toMatchObject({ status: "COMPENSATING", at: 3 });
    expect(outcome(running, refused)).toMatchObject({
      record: { status: "COMPENSATED" },
      hooks: ["onCompensating", "onCompensated"],
    });
  });

  test("failed repeats after a pause, up to the last attempt, and is uncertain from then on", () => {
    const once = outcome(running, failed).record;
    expect(once).toMatchObject({ status: "RUNNING", at: 0, uncertain: true, dueAt: NOW + 50 });
    expect(once.steps[0]).toMatchObject({ attempts: 1, errors: [{ message: "broken", compensating: false }] });
    expect(outcome(once, failed)).toMatchObject({
      record: { status: "COMPENSATING", at: 0, failure: { reason: "ATTEMPTS_EXHAUSTED" } },
      hooks: ["onCompensating"],
    });
    expect(outcome(shipping, failed)).toMatchObject({
      record: { status: "NEEDS_ATTENTION", attention: { reason: "ATTEMPTS_EXHAUSTED", step: "ship" }, dueAt: null },
      hooks: ["onNeedsAttention"],
    });
  });

  test("nothing comes of an outcome where no step runs", () => {
    for (const at of [waiting, paused(running), succeeded, compensated, gaveUp]) {
      expect(outcome(at, done)).toEqual({ record: at, hooks: [] });
    }
  });

  test("later and interrupted count no attempt", () => {
    expect(outcome(running, { kind: "later", afterMs: 30 }).record).toMatchObject({
      dueAt: NOW + 30,
      uncertain: false,
    });
    const interrupted = outcome(running, { kind: "interrupted" }).record;
    expect(interrupted).toMatchObject({ dueAt: NOW, uncertain: true });
    expect(interrupted.steps[0]?.attempts).toBe(0);
  });

  test("keep-waiting rests until the same deadline, or for a signal alone once the deadline is over", () => {
    const woken = settle(shape, signalled, NOW).record;
    expect(outcome(woken, { kind: "keep-waiting" }).record).toMatchObject({ status: "WAITING", dueAt: NOW + 500 });
    const late = settle(shape, waiting, NOW + 500).record;
    expect(late.wake).toEqual({ kind: "deadline" });
    expect(outcome(late, { kind: "keep-waiting" }).record).toMatchObject({ status: "WAITING", dueAt: null });
    expect(outcome(running, { kind: "keep-waiting" }).record.steps[0]?.errors).toHaveLength(1);
  });

  test("errors are kept short and few", () => {
    const patient: SagaShape = { steps: [{ name: "hold", retry: { maxAttempts: 99 } }] };
    let record = begin(patient, null, NOW);
    for (let nth = 0; nth < 9; nth++) {
      record = advance(patient, record, { kind: "failed", message: `${nth}${"x".repeat(5_000)}` }, NOW, () => 0).record;
    }
    const errors = record.steps[0]?.errors ?? [];
    expect(errors.map(({ message }) => [message[0], message.length])).toEqual(
      ["4", "5", "6", "7", "8"].map((nth) => [nth, 1_000]),
    );
  });
});

describe("steps going back", () => {
  test("done leads to the step before that has something to undo, and past the first to the end", () => {
    expect(compensating).toMatchObject({ status: "COMPENSATING", at: 0 });
    const deep = applied(succeeded, compensateCommand("CANCELLED", ""));
    const path = [deep, advanced(deep, done), advanced(deep, done, done), advanced(deep, done, done, done)];
    expect(path.map(({ status, at }) => [status, at])).toEqual([
      ["COMPENSATING", 3],
      ["COMPENSATING", 2],
      ["COMPENSATING", 0],
      ["COMPENSATED", 0],
    ]);
    expect(path[3]?.steps.every(({ status }) => status === "COMPENSATED")).toBe(true);
  });

  test("failed repeats, and after the last attempt a person must look, the cause kept", () => {
    expect(advanced(compensating, failed)).toMatchObject({ status: "COMPENSATING", dueAt: NOW + 100 });
    expect(cannotUndo).toMatchObject({
      attention: { reason: "COMPENSATION_FAILED", step: "hold" },
      failure: { reason: "NO", step: "await" },
    });
    expect(applied(cannotUndo, retryCommand(shape))).toMatchObject({ attention: null, failure: { reason: "NO" } });
  });
});

describe("taking a saga up", () => {
  test("a lost runner makes the step uncertain, and very many of them call for a person", () => {
    expect(settle(shape, running, NOW, 1).record).toMatchObject({ status: "RUNNING", uncertain: true });
    expect(settle(shape, running, NOW, MAX_TAKEOVERS)).toMatchObject({
      record: { status: "NEEDS_ATTENTION", attention: { reason: "WORKER_DIED" } },
      hooks: ["onNeedsAttention"],
    });
    expect(settle(shape, waiting, NOW, MAX_TAKEOVERS).record.status).toBe("WAITING");
    expect(settle(shape, signalled, NOW, 1).record).toMatchObject({ status: "RUNNING", uncertain: true });
    expect(settle(shape, signalled, NOW, MAX_TAKEOVERS).record.status).toBe("NEEDS_ATTENTION");
    const toPause = applied(running, pauseCommand, true);
    expect(settle(shape, toPause, NOW, 1).record).toMatchObject({ status: "PAUSED", uncertain: true });
  });

  test("after a lost runner, compensation begins with the last step that it may have begun", () => {
    const three = { steps: [...shape.steps.slice(0, 2), { name: "pack", compensate }, { name: "ship", compensate }] };
    const cancelled = (steps: SagaShape, record: SagaRecord) =>
      settle(steps, applied(record, compensateCommand("CANCELLED", ""), true), NOW, 1).record;
    const unstored = cancelled(three, begin(three, null, NOW));
    expect([unstored.status, unstored.at]).toEqual(["COMPENSATING", 3]);
    // A waiting step begins only after the saga was stored.
    expect(cancelled(shape, running)).toMatchObject({ status: "COMPENSATING", at: 0 });
    const isolated = { steps: three.steps.map((step) => ({ ...step, isolated: step.name === "pack" })) };
    expect(cancelled(isolated, begin(isolated, null, NOW))).toMatchObject({ status: "COMPENSATING", at: 0 });
    const repeated = advance(three, settle(three, begin(three, null, NOW), NOW, 1).record, done, NOW, () => 1).record;
    const refusedLater = advance(three, repeated, refused, NOW, () => 1).record;
    expect([refusedLater.status, refusedLater.at]).toEqual(["COMPENSATING", 3]);
  });

  test("a deadline of the whole turns it round from wherever it is, and is part of when it is due", () => {
    const timed = { ...waiting, deadlineAt: NOW + 100 };
    expect(dueAtOf(timed)).toBe(NOW + 100);
    expect(settle(shape, timed, NOW + 99).record.status).toBe("WAITING");
    expect(settle(shape, timed, NOW + 100)).toMatchObject({
      record: { status: "COMPENSATING", at: 2, failure: { reason: "DEADLINE_EXCEEDED" }, deadlineAt: null },
      hooks: ["onCompensating"],
    });
    expect(dueAtOf({ ...succeeded, deadlineAt: NOW })).toBeNull();
  });

  test("a step that was only just come to is not undone when the saga turns round at that moment", () => {
    const asked = applied(running, compensateCommand("CANCELLED", ""), true);
    const turned = advance(shape, asked, done, NOW, () => 0).record;
    expect(turned).toMatchObject({ status: "COMPENSATING", at: 0 });
    expect(turned.steps[1]).toMatchObject({ status: "PENDING", beganAt: null });
  });

  test("what commands left while a runner was at work is heeded, and what the runner took stays taken", () => {
    const mine = settle(shape, signalled, NOW).record;
    const stored = applied(applied(signalled, signalCommand("more", "e2", 9), true), pauseCommand, true);
    const merged = merge(mine, stored);
    expect(merged.signals).toEqual([
      { name: "paid", id: "e1", payload: 7, takenAt: 2 },
      { name: "more", id: "e2", payload: 9, takenAt: null },
    ]);
    expect(advance(shape, merged, done, NOW, () => 0).record).toMatchObject({
      status: "PAUSED",
      interrupted: "RUNNING",
    });
  });
});
