import type { NoAnswer } from "../machine.ts";

export interface RunOptions {
  readonly timeoutMs: number;
  /** Aborts the step early on shutdown. */
  readonly shutdown: AbortSignal;
}

/**
 * Runs one attempt at a step, within its timeout. An exception or a timeout is a failure with an unknown outcome. A
 * call that ignores its signal is abandoned.
 */
export async function runStep<Outcome>(
  call: (signal: AbortSignal) => Promise<Outcome>,
  { timeoutMs, shutdown }: RunOptions,
): Promise<Outcome | NoAnswer> {
  const stopped = Promise.withResolvers<NoAnswer>();
  const controller = new AbortController();
  const stop = (event: NoAnswer, reason: string) => {
    stopped.resolve(event);
    controller.abort(new Error(reason));
  };
  const tooLate = `no response within ${timeoutMs} ms`;
  const timer = setTimeout(() => stop({ kind: "failed", message: tooLate }, tooLate), timeoutMs);
  const onShutdown = () => stop({ kind: "interrupted" }, "the process is ending");
  shutdown.addEventListener("abort", onShutdown, { once: true });
  if (shutdown.aborted) {
    onShutdown();
  }
  try {
    return await Promise.race([stopped.promise, attempt(call, controller.signal)]);
  } finally {
    clearTimeout(timer);
    shutdown.removeEventListener("abort", onShutdown);
  }
}

async function attempt<Outcome>(
  call: (signal: AbortSignal) => Promise<Outcome>,
  signal: AbortSignal,
): Promise<Outcome | NoAnswer> {
  try {
    signal.throwIfAborted();
    return await call(signal);
  } catch (error) {
    return { kind: "failed", message: String(error) };
  }
}
