import { expect, test } from "@jest/globals";
import { createLogger } from "../telemetry/log.ts";
import { until } from "../testing/until.ts";
import { createPeriodicJob } from "./periodic-job.ts";

const log = createLogger({ level: "silent", name: "test" });

test("work is done again and again, part after part, never twice at once, and goes on after a failure", async () => {
  let parts = 0;
  let atOnce = 0;
  let most = 0;
  await using job = createPeriodicJob({
    name: "test",
    log,
    everyMs: 2,
    work: async () => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      await new Promise((resolve) => setTimeout(resolve, 5));
      atOnce -= 1;
      parts += 1;
      if (parts === 2) {
        throw new Error("broken once");
      }
      return parts % 3 !== 0;
    },
  });
  job.start();
  await until(() => parts >= 7);
  expect(most).toBe(1);
});

test("endless synchronous work does not block the event loop, and stops when disposed", async () => {
  let parts = 0;
  const job = createPeriodicJob({ name: "test", log, everyMs: 1, work: async () => ++parts > 0 });
  job.start();
  await until(() => parts > 3);
  await job[Symbol.asyncDispose]();
  const done = parts;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(parts).toBe(done);
});
