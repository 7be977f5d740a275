import { expect, test } from "@jest/globals";
import { createLogger } from "../telemetry/log.ts";
import { until } from "../testing/until.ts";
import { retentionJob } from "./retention.ts";

const log = createLogger({ level: "silent", name: "test" });

test("each table is pruned by its own rule, part by part, and one that fails holds up no other", async () => {
  const pruned: string[] = [];
  let parts = 3;
  const rules = [
    { table: "broken", keptMs: 1, prune: () => Promise.reject(new Error("locked")) },
    { table: "kept for ever", keptMs: undefined, prune: async () => pruned.push("for ever") > 0 },
    {
      table: "large",
      keptMs: 60_000,
      prune: async (keptMs: number) => {
        pruned.push(`large ${keptMs}`);
        parts -= 1;
        return parts > 0;
      },
    },
    { table: "small", keptMs: 1, prune: async () => pruned.push("small") < 0 },
  ];
  await using retention = retentionJob({ rules, log, everyMs: 1 }).work;
  retention.start();
  await until(() => pruned.length >= 4);
  expect(pruned.slice(0, 4)).toEqual(["large 60000", "large 60000", "large 60000", "small"]);
  expect(pruned).not.toContain("for ever");
});
