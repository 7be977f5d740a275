/** State of a dependency. `warn` means: working, but needs attention. */
export interface CheckResult {
  readonly status: "pass" | "warn" | "fail";
  /** Explanation for operators; expected unless the status is `pass`. */
  readonly error?: string;
}

/** A dependency check. It runs in the background, never on a probe's request; probes return its last result. */
export interface Check {
  /** Resolving with nothing is a pass. Throwing is a fail with the error's message, as is exceeding the timeout. */
  run(signal: AbortSignal): Promise<CheckResult | undefined> | Promise<void>;
  /**
   * `critical`: a fail makes the process not ready. `degraded`: a fail is reported as a warning. Default `critical`.
   */
  readonly policy?: "critical" | "degraded";
  /** Delay between two runs in milliseconds. Default 5,000. */
  readonly intervalMs?: number;
  /** Time in milliseconds after which the run fails and its signal is aborted. Default 2,000. */
  readonly timeoutMs?: number;
}

/** Checks by their name in `/probe/{name}`. */
export type Checks = Readonly<Record<string, Check>>;
