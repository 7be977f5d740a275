import { startTelemetry } from "../../gateway/telemetry/start-telemetry.ts";
import { readHostConfig } from "../../services/host/config.ts";
import { startHost } from "../../services/host/host.ts";
import type { Statement } from "../../services/runtime/db/statement.ts";
import { cpuMicros, serveParent } from "../support/child.ts";

/**
 * A whole Docket for a benchmark, in a process of its own, which counts its statements. With `BENCH_STATEMENTS` set it
 * also counts them by kind.
 */
const kinds =
  process.env["BENCH_STATEMENTS"] === undefined ? undefined : new Map<string, [count: number, ms: number]>();
let statements = 0;
let commits = 0;

function note({ sql, durationMs }: Statement): void {
  statements += 1;
  commits += sql === "commit" ? 1 : 0;
  if (kinds !== undefined) {
    const kind = kindOf(sql);
    const [count, ms] = kinds.get(kind) ?? [0, 0];
    kinds.set(kind, [count + 1, ms + durationMs]);
  }
}

/** Normalizes a statement by removing the parts that depend on the number of rows. */
function kindOf(sql: string): string {
  return sql
    .replace(/\s+/g, " ")
    .replaceAll(/\((\s*\?\s*,?)+\)(, \((\s*\?\s*,?)+\))*/g, "(?)")
    .replaceAll(/(when \? then \? ?)+/g, "when ? then ? ")
    .replaceAll(/( or \([^()]*\))+/g, " or …")
    .replaceAll(/( union all select( \?,?)+)+/g, " union all …")
    .slice(0, 400);
}

const telemetry = await startTelemetry({ serviceName: "docket", environment: process.env });
const running = await startHost(readHostConfig(process.env), { onStatement: note, telemetry });
const { httpUrl, grpcAddress, adminKey } = running;
serveParent(
  { httpUrl, grpcAddress, adminKey },
  {
    usage: () => ({ cpuMicros: cpuMicros(), statements, commits, rssBytes: process.memoryUsage.rss() }),
    kinds: () => {
      const all = Object.fromEntries(kinds ?? []);
      kinds?.clear();
      return all;
    },
  },
  () => running[Symbol.asyncDispose](),
);
