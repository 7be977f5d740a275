import { setImmediate as nextTurn } from "node:timers/promises";
import type { Database } from "../db/connect.ts";
import { unavailable } from "../errors.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { Logger } from "../telemetry/log.ts";
import { type Clock, systemClock } from "../values/clock.ts";
import { createAttempt } from "./attempt.ts";
import type { Command, Commands } from "./command.ts";
import type { Outcome } from "./decide.ts";
import { type Pending, runIsolated } from "./isolate.ts";
import { collectNeeds } from "./needs.ts";

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
}

interface Waiting extends Pending {
  /** Whether the command was withdrawn. */
  withdrawn: boolean;
  begin(): void;
}

/**
 * Creates the command processor of a database. It takes all waiting commands, up to its limits, and runs them as one
 * batch while the next batch gathers. A single command waits only for the next turn of the event loop. Create one
 * processor per database and process; other processes may have theirs on the same database.
 */
export function createCommands<DB>(options: CommandsOptions<DB>): Commands {
  const { db, outbox, log, clock = systemClock, maxCommands = 128, maxKeys = 2000 } = options;
  const attempt = createAttempt({ db, outbox, clock });
  let queue: Waiting[] = [];
  let running: Promise<void> | undefined;
  let stopped = false;

  const takeBatch = (): Waiting[] => {
    const batch: Waiting[] = [];
    let keys = 0;
    let taken = 0;
    for (const waiting of queue) {
      if (batch.length >= maxCommands || (batch.length > 0 && keys + waiting.needs.size > maxKeys)) {
        break;
      }
      taken += 1;
      if (!waiting.withdrawn) {
        batch.push(waiting);
        keys += waiting.needs.size;
      }
    }
    queue = queue.slice(taken);
    return batch;
  };

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
      const batch = takeBatch();
      for (const { begin } of batch) {
        begin();
      }
      if (batch.length > 0) {
        await runIsolated(attempt, batch, afterCommit);
      }
    }
    running = undefined;
  };

  return {
    async execute<Result>(command: Command<Result>, { signal }: { signal?: AbortSignal | undefined } = {}) {
      if (stopped) {
        throw unavailable("SHUTTING_DOWN", "The service is shutting down; repeat the request.");
      }
      signal?.throwIfAborted();
      const waiting = createWaiting(command, signal);
      queue.push(waiting);
      running ??= run();
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
  signal: AbortSignal | undefined,
): Waiting & { result: Promise<unknown> } {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const withdraw = () => {
    waiting.withdrawn = true;
    reject(signal?.reason);
  };
  const waiting = {
    command,
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
