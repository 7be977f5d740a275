/** How one dependency is doing. `warn` means: working, but somebody should look. */
export interface CheckResult {
  readonly status: "pass" | "warn" | "fail";
  /** Why, for people; required in spirit wherever the status is not `pass`. */
  readonly error?: string;
}

/**
 * One dependency check. It runs in the background, never on a probe's request; probes answer from its last result.
 */
export interface Check {
  /** Resolving with nothing is a pass; throwing is a fail with the error's message; so is passing the timeout. */
  run(signal: AbortSignal): Promise<CheckResult | undefined> | Promise<void>;
  /** `critical`: a fail makes the process not ready. `degraded`: a fail is shown as a warning. Default `critical`. */
  readonly policy?: "critical" | "degraded";
  /** Pause between two runs. Default 5,000. */
  readonly intervalMs?: number;
  /** After this the run counts as failed and its signal is aborted. Default 2,000. */
  readonly timeoutMs?: number;
}

/** Checks by the name that `/probe/{name}` knows them under. */
export type Checks = Readonly<Record<string, Check>>;
