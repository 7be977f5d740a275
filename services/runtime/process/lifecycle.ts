import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../telemetry/log.ts";
import type { Clock } from "../values/clock.ts";
import { overdue, within } from "./with-timeout.ts";

/** State of a process. Transitions are one-way: starting → ready → draining → stopped. */
export type LifecycleState = "starting" | "ready" | "draining" | "stopped";

/**
 * Phases of a shutdown, in order. Steps of a phase run concurrently; a phase begins when every step of the previous one
 * has ended, failed or used up its time.
 * - `pause`: consumers and saga claims take no new work; requests are still served, through the drain window;
 * - `close`: listeners close, connections are drained, calls in flight finish, streams end;
 * - `flush`: outbox and producers are emptied, offsets committed, leases released;
 * - `release`: databases and caches are closed;
 * - `telemetry`: the last logs, metrics and spans are sent.
 */
export const drainPhases = ["pause", "close", "flush", "release", "telemetry"] as const;

export type DrainPhase = (typeof drainPhases)[number];

export interface LifecycleOptions {
  readonly log: Logger;
  readonly clock: Clock;
  /** How long requests are still served after the process reports not ready. Default 0. */
  readonly windowMs?: number;
  /** Most milliseconds of a shutdown, window included. Default 15,000. */
  readonly budgetMs?: number;
}

export interface Lifecycle {
  readonly state: LifecycleState;
  /** Aborted when draining begins: the one shutdown signal for loops. */
  readonly draining: AbortSignal;
  /**
   * Calls the listener on each transition, before anything else happens in the new state. Returns a function to
   * unsubscribe.
   */
  onState(listener: (state: LifecycleState) => void): () => void;
  /** Adds a shutdown step. It receives its time budget in milliseconds; exceptions are logged and ignored. */
  onDrain(phase: DrainPhase, name: string, step: (budgetMs: number) => Promise<void> | void): void;
  /** starting → ready. A no-op in any other state: a process that shuts down while starting does not become ready. */
  ready(): void;
  /** Runs all phases; resolves in state stopped, within the budget. Idempotent: later calls return the same promise. */
  shutdown(reason: string): Promise<void>;
}

/** Share of the budget reserved for flush and release; calls in flight cannot use it. */
const reserveShare = 0.2;
/** Share of the budget, beyond the window, for work that is paused; what does not end by then is handed back later. */
const pauseShare = 0.3;

export function createLifecycle(options: LifecycleOptions): Lifecycle {
  const { log, clock, windowMs = 0, budgetMs = 15_000 } = options;
  const controller = new AbortController();
  const listeners = new Set<(state: LifecycleState) => void>();
  const steps: { phase: DrainPhase; name: string; step: (budgetMs: number) => Promise<void> | void }[] = [];
  let state: LifecycleState = "starting";
  let shuttingDown: Promise<void> | undefined;

  const enter = (next: LifecycleState) => {
    state = next;
    log.info({ state }, "lifecycle");
    for (const listener of listeners) {
      listener(next);
    }
  };

  const runPhase = async (phase: DrainPhase, deadline: number) => {
    const left = () => Math.max(0, deadline - clock.monotonicMs());
    const running = steps
      .filter((step) => step.phase === phase)
      .map(async ({ name, step }) => {
        try {
          if ((await within(left(), () => step(left()))) === overdue) {
            log.warn({ phase, step: name }, "drain step did not end in time");
          }
        } catch (err) {
          log.error({ err, phase, step: name }, "drain step failed");
        }
      });
    await Promise.all(running);
  };

  const drain = async (reason: string) => {
    const begin = clock.monotonicMs();
    const end = begin + budgetMs;
    log.info({ reason }, "shutting down");
    enter("draining");
    controller.abort(new Error(`shutting down: ${reason}`));
    const window = Math.min(windowMs, budgetMs / 2);
    await Promise.all([runPhase("pause", begin + window + budgetMs * pauseShare), sleep(window)]);
    await runPhase("close", end - budgetMs * reserveShare);
    await runPhase("flush", end);
    await runPhase("release", end);
    await runPhase("telemetry", end);
    enter("stopped");
    log.info({ ms: Math.round(clock.monotonicMs() - begin) }, "stopped");
  };

  return {
    get state() {
      return state;
    },
    draining: controller.signal,
    onState(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    onDrain(phase, name, step) {
      steps.push({ phase, name, step });
    },
    ready() {
      if (state === "starting") {
        enter("ready");
      }
    },
    shutdown(reason) {
      shuttingDown ??= drain(reason);
      return shuttingDown;
    },
  };
}
