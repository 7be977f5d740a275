import { setImmediate as nextTurn } from "node:timers/promises";
import { context, ROOT_CONTEXT, type SpanContext, trace } from "@opentelemetry/api";
import type { Database } from "../db/connect.ts";
import { unavailable } from "../errors.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { Logger } from "../telemetry/log.ts";
import { inLinkedSpan } from "../telemetry/tracing.ts";
import { type Clock, systemClock } from "../values/clock.ts";
import { createAttempt } from "./attempt.ts";
import type { Command, Commands, ExecuteOptions } from "./command.ts";
import type { Outcome } from "./decide.ts";
import { type IsolationReport, type Pending, runIsolated } from "./isolate.ts";
import { collectNeeds } from "./needs.ts";
import { createQueue, type Waiting } from "./queue.ts";

export interface CommandsOptions<DB> {
  readonly db: Database<DB>;
  /** Outbox for published events. */
  readonly outbox: Pick<Outbox, "publish">;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Most commands per batch, default 128: bounds how long a batch holds its locks and the event loop. */
  readonly maxCommands?: number;
  /** Most keys per batch, default 2,000. A single command with more runs in its own batch. */
  readonly maxKeys?: number;
  /** Most waiting commands, default 10,000, and half of them per tenant. */
  readonly maxWaiting?: number;
  /** Called after every batch. */
  readonly onBatch?: ((batch: BatchReport) => void) | undefined;
}

/** What became of a batch, for metrics. */
export interface BatchReport extends IsolationReport {
  readonly commands: number;
  /** How long its first command waited. */
  readonly waitMs: number;
  /** Commands that wait for the next batch. */
  readonly waiting: number;
}

interface PendingCommand extends Pending, Omit<Waiting, "needs"> {
  readonly caller: SpanContext | undefined;
  readonly queuedMs: number;
  begin(): void;
}

/**
 * Creates the command processor of a database. It takes all waiting commands, up to its limits, and runs them as one
 * batch while the next batch gathers. A single command waits only for the next turn of the event loop. Create one
 * processor per database and process; other processes may have theirs on the same database.
 */
export function createCommands<DB>(options: CommandsOptions<DB>): Commands {
  const { db, outbox, log, clock = systemClock, onBatch } = options;
  const { maxCommands = 128, maxKeys = 2000, maxWaiting = 10_000 } = options;
  const attempt = createAttempt({ db, outbox, clock });
  const queue = createQueue<PendingCommand>({ maxCommands, maxKeys, maxWaiting });
  let running: Promise<void> | undefined;
  let stopped = false;

  const afterCommit = (callbacks: readonly (() => void)[]) => {
    for (const callback of callbacks) {
      try {
        callback();
      } catch (error) {
        log.error({ err: error }, "a function failed that was to run after a commit");
      }
    }
  };

  const run = async () => {
    while (queue.length > 0) {
      // Lets ready callers join the batch, and yields to the event loop between batches.
      await nextTurn();
      const batch = queue.take();
      if (batch.length === 0) {
        continue;
      }
      const waitMs = clock.monotonicMs() - Math.min(...batch.map(({ queuedMs }) => queuedMs));
      for (const { begin } of batch) {
        begin();
      }
      const callers = batch.map(({ caller }) => caller);
      const report = await inLinkedSpan("commands", callers, () => runIsolated(attempt, batch, afterCommit));
      onBatch?.({ ...report, commands: batch.length, waitMs, waiting: queue.length });
    }
    running = undefined;
  };

  return {
    async execute<Result>(command: Command<Result>, { signal, tenant = "" }: ExecuteOptions = {}) {
      if (stopped) {
        throw unavailable("SHUTTING_DOWN", "The service is shutting down; repeat the request.");
      }
      signal?.throwIfAborted();
      const waiting = createWaiting(command, { signal, tenant, queuedMs: clock.monotonicMs() });
      queue.add(waiting);
      // A batch belongs to the trace of no caller.
      running ??= context.with(ROOT_CONTEXT, run);
      return (await waiting.result) as Result;
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      await running;
    },
  };
}

function createWaiting(
  command: Command<unknown>,
  { signal, tenant, queuedMs }: { signal: AbortSignal | undefined; tenant: string; queuedMs: number },
): PendingCommand & { result: Promise<unknown> } {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const withdraw = () => {
    waiting.withdrawn = true;
    reject(signal?.reason);
  };
  const active = context.active();
  const waiting = {
    // It decides in its caller's context, so that its events belong to its caller's trace.
    command: { ...command, decide: context.bind(active, command.decide.bind(command)) },
    caller: trace.getSpanContext(active),
    tenant,
    queuedMs,
    needs: collectNeeds(command),
    result: promise,
    withdrawn: false,
    begin: () => signal?.removeEventListener("abort", withdraw),
    settle(outcome: Outcome) {
      if ("error" in outcome) {
        reject(outcome.error);
      } else {
        resolve(outcome.result);
      }
    },
  };
  signal?.addEventListener("abort", withdraw, { once: true });
  return waiting;
}
