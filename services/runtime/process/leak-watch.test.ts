import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { startTelemetry } from "../../../gateway/telemetry/start-telemetry.ts";
import { createLeakCheck, keepsRising } from "./leak-watch.ts";

test("a check warns once something rose through its whole window, and names it", async () => {
  const telemetry = await startTelemetry({ serviceName: "test", environment: {} });
  let sessions = 10;
  const check = createLeakCheck({
    samples: 8,
    sources: { sessions: { read: () => sessions++ }, cursors: { read: () => 3 } },
  });
  const { signal } = new AbortController();
  for (let i = 0; i < 7; i++) {
    expect(await check.run(signal)).toEqual({ status: "pass" });
  }
  expect(await check.run(signal)).toEqual({ status: "warn", error: "sessions rose from 10 to 17" });
  expect(await telemetry.metrics.read()).toContain('process_watched_resource{resource="sessions"} 17');
  await telemetry.shutdown();
});

test("load that comes and goes is no leak", () => {
  expect(keepsRising([10, 90, 11, 80, 10, 95, 12, 99, 10, 70, 11, 60])).toBe(false);
  expect(keepsRising([10, 10, 10, 10, 10, 10, 10, 10])).toBe(false);
  expect(keepsRising([100, 100, 101, 101, 102, 102, 103, 103])).toBe(false);
  expect(keepsRising([10, 50, 12, 50, 14, 50, 16, 50])).toBe(true);
});

test("what falls anywhere below its begin is no leak", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { minLength: 8, maxLength: 40 }), (values) => {
      const last = Math.min(...values);
      expect(keepsRising([...values, ...values.map(() => last)])).toBe(false);
    }),
  );
});
