import type { Check, CheckResult, Checks } from "./checks.ts";
import { overdue, within } from "./with-timeout.ts";

/** The last result of a check and its duration. */
export interface CheckState extends CheckResult {
  readonly policy: NonNullable<Check["policy"]>;
  readonly elapsedMs: number;
}

/** Runs checks in the background and serves their results from memory. */
export interface CheckRunner extends Disposable {
  /** Starts running every check, immediately and then at its interval. */
  start(): void;
  /** Adds checks. Throws if a name is taken. */
  add(checks: Checks): void;
  /** The last result of each check; a check without a result is a fail. */
  states(): ReadonlyMap<string, CheckState>;
}

const defaultIntervalMs = 5_000;
const defaultTimeoutMs = 2_000;
const passed: CheckResult = { status: "pass" };

export function createCheckRunner(initial: Checks = {}): CheckRunner {
  const states = new Map<string, CheckState>();
  const checks = new Map<string, Check>();
  const stopped = new AbortController();
  let started = false;

  const runForever = async (name: string, check: Check) => {
    while (!stopped.signal.aborted) {
      const begin = performance.now();
      const result = await runOnce(check, stopped.signal);
      const elapsedMs = Math.round((performance.now() - begin) * 1000) / 1000;
      states.set(name, { ...result, policy: check.policy ?? "critical", elapsedMs });
      await pause(check.intervalMs ?? defaultIntervalMs, stopped.signal);
    }
  };

  const add = (more: Checks) => {
    for (const [name, check] of Object.entries(more)) {
      if (checks.has(name)) {
        throw new Error(`there are two checks named ${name}`);
      }
      checks.set(name, check);
      states.set(name, { status: "fail", error: "not checked yet", policy: check.policy ?? "critical", elapsedMs: 0 });
      if (started) {
        void runForever(name, check);
      }
    }
  };
  add(initial);

  return {
    start() {
      if (!started) {
        started = true;
        for (const [name, check] of checks) {
          void runForever(name, check);
        }
      }
    },
    add,
    states: () => states,
    [Symbol.dispose]() {
      stopped.abort();
    },
  };
}

async function runOnce(check: Check, stopped: AbortSignal): Promise<CheckResult> {
  const timeoutMs = check.timeoutMs ?? defaultTimeoutMs;
  const late = new AbortController();
  try {
    const signal = AbortSignal.any([late.signal, stopped]);
    const result = await within(timeoutMs, async () => (await check.run(signal)) ?? passed);
    if (result === overdue) {
      return { status: "fail", error: `no response within ${timeoutMs} ms` };
    }
    return result;
  } catch (error) {
    return { status: "fail", error: error instanceof Error ? error.message : String(error) };
  } finally {
    late.abort();
  }
}

/** Resolves after `ms` or on abort; does not keep the process alive. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    timer.unref();
    signal.addEventListener("abort", wake);
  });
}
