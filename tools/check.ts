import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { parseArgs } from "node:util";
import { goTool } from "./go-tools.ts";
import { type JestReport, jestCommand, readReport, retryFailedFiles } from "./retry-tests.ts";

/**
 * Runs every check, or those whose names or group are given, each to its end whatever the others say, and closes with
 * one line: how many passed and how many failed, a check or a test counting as one.
 *
 *     node tools/check.ts [lint | test | delivery | conformance | <name of a check> …] [--no-skips]
 *
 * A test file that fails runs once more, alone. Tests that then pass count as passed and are listed as flaky: each is a
 * defect to find the cause of.
 *
 * With `--no-skips` a skipped test counts as failed, unless the machine lacks a server or a browser that tests use and
 * it cannot be installed either. A test whose name says why it is skipped, as in "(skipped: there is no Go)", is excused,
 * and so is the conformance suite where there is no Go.
 */

interface Check {
  name: string;
  group: "lint" | "test" | "delivery" | "conformance";
  /** Gets what the check needs with a program that the machine has or has not. Where that fails, the check is skipped. */
  prepare?: { command: string[]; by: string };
  /** Installs or builds what tests use. Where it fails, those tests are skipped and say so. */
  setup?: string[][];
  /** Run one after the other until one fails. */
  commands: string[][];
  /** Where counts are written, as jest does; other checks count as one. */
  counts?: string;
  /** Whether failed test files run once more, each alone; see `retryFailedFiles`. */
  retries?: boolean;
}

interface Verdict {
  name: string;
  passed: number;
  failed: number;
  skipped: number;
  /** Tests that failed in the suite and passed when their file ran alone. */
  flaky?: readonly string[];
  /** True where the machine lacks what would prepare it. */
  excused?: boolean;
  seconds: number;
}

const lint = (name: string, ...commands: string[][]): Check => ({ name, group: "lint", commands });

const jest = (suite: string): Check => {
  const counts = `.cache/check/${suite}.json`;
  return { name: suite, group: "test", counts, commands: [jestCommand(suite, counts)], retries: true };
};

/** What suites with a Kafka broker start. */
const kafka = [["node", "tools/kafka-jars.ts"]];

const checks: Check[] = [
  lint("style", ["biome", "check", "--error-on-warnings", "."]),
  lint("proto", ["buf", "lint"]),
  lint("compatibility", ["node", "tools/check-breaking.ts"]),
  lint("generated", ["node", "tools/generate.ts", "--check"]),
  lint("access", ["node", "tools/check-scopes.ts"]),
  // Checks again only what changed since the last run, which takes two seconds in place of ten.
  lint("types", ["tsc", "--noEmit", "--incremental", "--tsBuildInfoFile", ".cache/tsbuildinfo"]),
  lint("imports", ["depcruise", "--config", ".dependency-cruiser.js", "."]),
  lint("unused", ["knip"]),
  lint("chart", ["node", "tools/chart-docs.ts", "--check"]),
  lint("observability", ["node", "tools/observability.ts", "--check"]),
  {
    ...lint("workflows", [goTool("actionlint"), "-shellcheck=", "-pyflakes="]),
    prepare: { command: ["node", "tools/go-tools.ts", "actionlint"], by: "go" },
  },
  lint("licences", ["node", "tools/sbom.ts", "--check"]),
  jest("unit"),
  { ...jest("integration"), setup: kafka },
  { ...jest("contract"), setup: [["node", "tools/go-tools.ts", "aws-lambda-rie"]] },
  { ...jest("e2e"), setup: kafka },
  {
    ...jest("delivery"),
    group: "delivery",
    setup: [
      ["node", "tools/image.ts", "--prepare"],
      ["node", "tools/chart-tools.ts"],
    ],
  },
  {
    name: "conformance",
    group: "conformance",
    counts: ".cache/check/conformance.json",
    prepare: { command: ["node", "tools/conformance.ts", "--prepare"], by: "go" },
    commands: [["node", "tools/conformance.ts", "--counts", ".cache/check/conformance.json"]],
  },
];

/** A check that hangs must not hang the others; on a quiet machine none takes a quarter of this. */
const checkTimeoutMs = 45 * 60_000;

function run([command = "", ...args]: string[]): Promise<boolean> {
  const child = spawn(command, args, { stdio: "inherit", timeout: checkTimeoutMs, killSignal: "SIGKILL" });
  return new Promise((resolve) => {
    child.on("error", (error) => {
      console.error(error.message);
      resolve(false);
    });
    child.on("exit", (code, signal) => {
      if (signal) {
        console.error(`${command} ended by ${signal}`);
      }
      resolve(code === 0);
    });
  });
}

async function runCheck(check: Check): Promise<Verdict> {
  console.log(`\n── ${check.name} ──`);
  const start = performance.now();
  if (check.prepare && !(await run(check.prepare.command))) {
    const excused = !isInstalled(check.prepare.by);
    return { name: check.name, passed: 0, failed: 0, skipped: 1, excused, seconds: 0 };
  }
  for (const command of check.setup ?? []) {
    await run(command);
  }
  if (check.counts) {
    await rm(check.counts, { force: true });
  }
  let ok = true;
  for (const command of check.commands) {
    ok &&= await run(command);
  }
  let counted: Counts = { passed: +ok, failed: +!ok, skipped: 0 };
  if (check.counts) {
    const report = await readReport(check.counts);
    const retried = check.retries && !ok ? await retryFailedFiles(check.name, report, run) : { report, flaky: [] };
    counted = { ...countsOf(retried.report, ok || retried.flaky.length > 0), flaky: retried.flaky };
  }
  return { name: check.name, seconds: (performance.now() - start) / 1000, ...counted };
}

type Counts = Pick<Verdict, "passed" | "failed" | "skipped" | "flaky">;

/** The counts of a check. A suite that could not run at all, and a run that failed or found nothing, are one failure each. */
function countsOf({ testResults = [], ...counts }: JestReport, ok: boolean): Counts {
  const passed = counts["numPassedTests"] ?? 0;
  const failed = (counts["numFailedTests"] ?? 0) + (counts["numRuntimeErrorTestSuites"] ?? 0);
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const excused = tests.filter(
    ({ status, fullName }) => status === "pending" && fullName.includes("(skipped: "),
  ).length;
  const skipped = (counts["numPendingTests"] ?? 0) + (counts["numTodoTests"] ?? 0) - excused;
  const silent = failed === 0 && (!ok || passed + skipped === 0);
  return { passed, failed: failed + +silent, skipped };
}

/** Whether everything that tests use is on this machine or can be put on it, and may be. */
function canRunEverything(): boolean {
  if (process.env["SETUP"] === "no") {
    return false;
  }
  const canInstall = process.getuid?.() === 0 && isInstalled("apt-get");
  return canInstall || ["mariadbd", "chromium"].every(isInstalled);
}

function isInstalled(program: string): boolean {
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/usr/local/sbin", "/usr/local/go/bin"];
  return folders.some((folder) => existsSync(`${folder}/${program}`));
}

const { values, positionals } = parseArgs({ options: { "no-skips": { type: "boolean" } }, allowPositionals: true });
const chosen = checks.filter(({ name, group }) => {
  return positionals.length === 0 || positionals.includes(name) || positionals.includes(group);
});

await mkdir(".cache/check", { recursive: true });
// The two that Node 24 still calls experimental are the ones we chose: node:sqlite, and ES modules in jest.
process.env["NODE_OPTIONS"] = "--experimental-vm-modules --disable-warning=ExperimentalWarning";
const strict = values["no-skips"] && canRunEverything();
const verdicts: Verdict[] = [];
for (const check of chosen) {
  const verdict = await runCheck(check);
  verdicts.push(
    strict && !verdict.excused ? { ...verdict, failed: verdict.failed + verdict.skipped, skipped: 0 } : verdict,
  );
}

for (const { flaky = [] } of verdicts.filter(({ flaky }) => flaky?.length)) {
  console.log("\n── flaky: failed in the suite, passed alone; find the cause ──");
  console.log(flaky.map((name) => `  ${name}`).join("\n"));
}
console.log("\n── verdicts ──");
for (const { name, passed, failed, skipped, seconds } of verdicts) {
  const skips = skipped > 0 ? `, ${skipped} skipped` : "";
  console.log(
    `${failed === 0 ? "✓" : "✗"} ${name}: ${passed} passed, ${failed} failed${skips} (${seconds.toFixed(1)} s)`,
  );
}
const sum = (key: "passed" | "failed") => verdicts.reduce((total, verdict) => total + verdict[key], 0);
process.exitCode = sum("failed") > 0 || verdicts.length === 0 ? 1 : 0;
console.log(`\n${sum("passed")} passed, ${sum("failed")} failed`);
