import { expect, jest, test } from "@jest/globals";
import { createLogger } from "../telemetry/log.ts";
import { systemClock } from "../values/clock.ts";
import { createLifecycle, drainPhases, type LifecycleOptions } from "./lifecycle.ts";
import { stopOnSignal } from "./stop-on-signal.ts";

const lifecycleWith = (options: Partial<LifecycleOptions> = {}) =>
  createLifecycle({ log: createLogger({ level: "silent", name: "test" }), clock: systemClock, ...options });

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

test("the way out is not ready, pause, close, flush, release, telemetry, stopped", async () => {
  const lifecycle = lifecycleWith();
  const trail: string[] = [];
  lifecycle.onState((state) => trail.push(state));
  lifecycle.draining.addEventListener("abort", () => trail.push("signal"));
  for (const phase of [...drainPhases].reverse()) {
    lifecycle.onDrain(phase, "one", async () => {
      trail.push(`${phase} begins`);
      await pause(5);
      trail.push(`${phase} ends`);
    });
  }
  expect(lifecycle.state).toBe("starting");
  lifecycle.ready();
  expect(lifecycle.state).toBe("ready");
  await lifecycle.shutdown("test");
  expect(trail).toEqual([
    "ready",
    "draining",
    "signal",
    ...drainPhases.flatMap((phase) => [`${phase} begins`, `${phase} ends`]),
    "stopped",
  ]);
});

test("steps of one phase run at the same time, and a failing one stops nothing", async () => {
  const lifecycle = lifecycleWith();
  const trail: string[] = [];
  let met = () => {};
  const other = new Promise<void>((resolve) => {
    met = resolve;
  });
  lifecycle.onDrain("close", "waits for the other", () => other);
  lifecycle.onDrain("close", "the other", () => met());
  lifecycle.onDrain("flush", "fails", () => {
    throw new Error("no connection");
  });
  lifecycle.onDrain("release", "database", () => void trail.push("released"));
  await lifecycle.shutdown("test");
  expect(trail).toEqual(["released"]);
  expect(lifecycle.state).toBe("stopped");
});

test("requests are served through the window while work is already paused", async () => {
  const lifecycle = lifecycleWith({ windowMs: 60 });
  const at = new Map<string, number>();
  const begin = performance.now();
  lifecycle.onDrain("pause", "sagas", () => void at.set("pause", performance.now() - begin));
  lifecycle.onDrain("close", "server", () => void at.set("close", performance.now() - begin));
  await lifecycle.shutdown("test");
  expect(at.get("pause")).toBeLessThan(at.get("close") ?? 0);
  expect(at.get("close")).toBeGreaterThanOrEqual(55);
});

test("paused work that hangs leaves the calls in flight their share of the budget", async () => {
  const lifecycle = lifecycleWith({ budgetMs: 500 });
  let given = 0;
  lifecycle.onDrain("pause", "hangs", () => new Promise(() => {}));
  lifecycle.onDrain("close", "calls", (budgetMs) => {
    given = budgetMs;
  });
  await lifecycle.shutdown("test");
  expect(given).toBeGreaterThan(150);
});

test("a step that hangs uses up its share of the budget and no more", async () => {
  const lifecycle = lifecycleWith({ budgetMs: 200 });
  let given = 0;
  const trail: string[] = [];
  lifecycle.onDrain("close", "hangs", (budgetMs) => {
    given = budgetMs;
    return new Promise(() => {});
  });
  lifecycle.onDrain("release", "database", () => void trail.push("released"));
  await lifecycle.shutdown("test");
  expect(given).toBeGreaterThan(100);
  expect(given).toBeLessThanOrEqual(160);
  expect(trail).toEqual(["released"]);
});

test("a process that is stopped while starting never becomes ready", async () => {
  const lifecycle = lifecycleWith();
  const first = lifecycle.shutdown("early");
  lifecycle.ready();
  expect(lifecycle.state).toBe("draining");
  expect(lifecycle.shutdown("again")).toBe(first);
  await first;
});

test("the first signal drains and exits with 0, a second one exits at once", async () => {
  const lifecycle = lifecycleWith();
  let release = () => {};
  const slow = new Promise<void>((resolve) => {
    release = resolve;
  });
  lifecycle.onDrain("close", "slow", () => slow);
  const listeners = new Map<string, () => void>();
  const exit = jest.fn<(code: number) => void>();
  stopOnSignal(lifecycle, { on: (signal, listener) => listeners.set(signal, listener), exit });
  listeners.get("SIGTERM")?.();
  await pause(10);
  expect(exit).not.toHaveBeenCalled();
  listeners.get("SIGINT")?.();
  expect(exit.mock.calls).toEqual([[1]]);
  release();
  await lifecycle.shutdown("test");
  await pause(0);
  expect(exit.mock.calls).toEqual([[1], [0]]);
});
