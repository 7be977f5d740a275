import { expect, test } from "@jest/globals";
import { createLive, fixed, mapLive } from "./live.ts";

test("a derived value follows its source, and reports only its own changes", () => {
  const source = createLive({ level: "info", limits: { calls: 1 } });
  const limits = mapLive(source, (value) => ({ ...value.limits }));
  const seen: unknown[] = [];
  const unsubscribe = limits.onChange((value) => seen.push(value));
  source.set({ level: "debug", limits: { calls: 1 } });
  source.set({ level: "debug", limits: { calls: 2 } });
  expect(limits.current).toEqual({ calls: 2 });
  expect(seen).toEqual([{ calls: 2 }]);
  unsubscribe();
  source.set({ level: "debug", limits: { calls: 3 } });
  expect(limits.current).toEqual({ calls: 3 });
  expect(seen).toHaveLength(1);
});

test("a listener that throws keeps the value from no other one", () => {
  const source = createLive(1);
  const seen: number[] = [];
  source.onChange(() => {
    throw new Error("cannot apply it");
  });
  source.onChange((value) => seen.push(value));
  expect(() => source.set(2)).toThrow("cannot apply it");
  expect([source.current, seen]).toEqual([2, [2]]);
});

test("a fixed value has no changes to report", () => {
  const value = fixed("a");
  value.onChange(() => {
    throw new Error("it changed");
  })();
  expect(value.current).toBe("a");
});
