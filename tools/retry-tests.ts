import { readFile } from "node:fs/promises";
import { relative } from "node:path";

/** The part of jest's `--json` report that is used here; the remaining keys are counts. */
export interface JestReport {
  readonly testResults?: readonly JestFile[];
  readonly [count: `num${string}`]: number;
}

interface JestFile {
  /** Absolute path. */
  readonly name: string;
  readonly status: string;
  readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
}

/**
 * The command that runs a suite, or some files of it, and writes its report to `output`. A few files run in jest's own
 * process, which then ends even if a failed test has left a server or a timer behind, as it would never end otherwise.
 */
export function jestCommand(suite: string, output: string, files: readonly string[] = []): string[] {
  const selection = files.length > 0 ? ["--forceExit", "--runTestsByPath", ...files] : [];
  return ["jest", "--selectProjects", suite, "--ci", "--json", `--outputFile=${output}`, ...selection];
}

/** Reads a report. One that is missing or unreadable, as after a crash of the runner, is empty. */
export async function readReport(file: string): Promise<JestReport> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as JestReport;
  } catch {
    return {};
  }
}

/** More failed files than this are not chance; they are not run again. */
const maxRetriedFiles = 5;

/**
 * Runs each failed file of a suite once more, alone.
 *
 * @returns the report with the second results in place of the first, and the names of the tests that failed in the suite
 * and passed alone. A file that could not run at all (a syntax error, a crash) is retried too.
 */
export async function retryFailedFiles(
  suite: string,
  report: JestReport,
  run: (command: string[]) => Promise<boolean>,
): Promise<{ report: JestReport; flaky: readonly string[] }> {
  const failed = (report.testResults ?? []).filter(({ status }) => status === "failed");
  if (failed.length > maxRetriedFiles) {
    return { report, flaky: [] };
  }
  const flaky: string[] = [];
  let merged = report;
  for (const file of failed) {
    const path = relative(process.cwd(), file.name);
    console.log(`\n── ${suite}: once more, alone: ${path} ──`);
    const output = `.cache/check/${suite}-retry.json`;
    if (await run(jestCommand(suite, output, [path]))) {
      const names = file.assertionResults.filter(({ status }) => status === "failed").map(({ fullName }) => fullName);
      flaky.push(...(names.length > 0 ? names : ["the file did not run"]).map((name) => `${path}: ${name}`));
      merged = replaceFile(merged, file, await readReport(output));
    }
  }
  return { report: merged, flaky };
}

function replaceFile(report: JestReport, file: JestFile, again: JestReport): JestReport {
  const before = report.testResults ?? [];
  const after = [...before.filter((other) => other !== file), ...(again.testResults ?? [])];
  const count = (status: string) =>
    after.reduce(
      (sum, { assertionResults }) => sum + assertionResults.filter((test) => test.status === status).length,
      0,
    );
  return {
    testResults: after,
    numPassedTests: count("passed"),
    numFailedTests: count("failed"),
    numPendingTests: count("pending"),
    numTodoTests: count("todo"),
    numRuntimeErrorTestSuites: after.filter(
      ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
    ).length,
  };
}
