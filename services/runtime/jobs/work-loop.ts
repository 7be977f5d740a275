import { countPending } from "../process/pending.ts";
import { overdue, within } from "../process/with-timeout.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Job } from "./job.ts";
import type { BackgroundWork } from "./job-table.ts";

export interface WorkLoopOptions<Item> {
  /** For the log. */
  readonly name: string;
  readonly log: Logger;
  /** Claims up to `limit` items exclusively. */
  readonly claim: (limit: number) => Promise<readonly Item[]>;
  /** Processes one item, including its failures: exceptions are only logged. */
  readonly work: (item: Item, signal: AbortSignal) => Promise<void>;
  /** Most items processed concurrently. */
  readonly concurrency: number;
  /** Poll interval. */
  readonly pollMs: number;
  /**
   * Hands claims back, so that another process can take them at once. Called by `drain` for the items that are still in
   * progress after `drainMs`, whose signal is aborted. Without it, `drain` waits for every item.
   */
  readonly release?: (items: readonly Item[]) => Promise<void>;
  /** Default 3,000. */
  readonly drainMs?: number;
}

/** Claims and processes work in the background. */
export interface WorkLoop<Item = unknown> extends BackgroundWork {
  /** Claims and processes what is due, without the loop. Items in progress end even if the signal is aborted. */
  readonly runDue: Job;
  /** Polls immediately. */
  nudge(): void;
  /** Processes an item that was claimed elsewhere. */
  add(item: Item): void;
  /** Remaining capacity in items. */
  room(): number;
}

/**
 * Creates a work loop: polls when nudged and every `pollMs`, and again immediately while each poll fills its capacity.
 * Disposing aborts the signal of remaining items and drains it.
 */
export function createWorkLoop<Item>(options: WorkLoopOptions<Item>): WorkLoop<Item> {
  const { name, log, claim, work, concurrency, pollMs, release, drainMs = 3_000 } = options;
  const stop = new AbortController();
  const running = new Set<Promise<void>>();
  const items = new Map<Promise<void>, Item>();
  const pending = countPending(name);
  let nudged = Promise.withResolvers<void>();
  let looping: Promise<void> | undefined;
  let draining = false;
  let handedBack = false;

  const begin = (item: Item) => {
    const done = work(item, stop.signal)
      .catch((error: unknown) => log.error({ err: error, loop: name }, "work failed"))
      .finally(() => {
        running.delete(done);
        items.delete(done);
        nudged.resolve();
      });
    running.add(pending(done));
    items.set(done, item);
  };

  const loop = async () => {
    while (!draining) {
      nudged = Promise.withResolvers();
      const room = concurrency - running.size;
      let found = 0;
      if (room > 0) {
        try {
          const claimed = await claim(room);
          found = claimed.length;
          claimed.forEach(begin);
        } catch (error) {
          log.warn({ err: error, loop: name }, "could not query for work");
        }
      }
      if (room <= 0 || found < room) {
        const timer = setTimeout(nudged.resolve, pollMs).unref();
        await nudged.promise;
        clearTimeout(timer);
      }
    }
  };

  const runDue: Job = async (signal) => {
    let any = false;
    try {
      for (;;) {
        const room = concurrency - running.size;
        const found = room > 0 && !draining && !signal.aborted ? await claim(room) : [];
        found.forEach(begin);
        any ||= running.size > 0;
        if (running.size === 0) {
          return any;
        }
        if (found.length < room || room <= 0) {
          await Promise.race(running);
        }
      }
    } finally {
      await Promise.all(running);
    }
  };

  const drain = async () => {
    draining = true;
    nudged.resolve();
    await looping;
    const done = async () => {
      while (running.size > 0) {
        await Promise.all(running);
      }
    };
    if (release === undefined) {
      await done();
    } else if (!handedBack && (await within(drainMs, done)) === overdue) {
      handedBack = true;
      stop.abort();
      log.warn({ loop: name, items: items.size }, "work that did not end in time is handed back");
      await release([...items.values()]);
    }
  };

  return {
    everyMs: pollMs,
    start() {
      looping ??= loop();
    },
    runDue,
    nudge: () => nudged.resolve(),
    add: begin,
    room: () => concurrency - running.size,
    drain,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await drain();
    },
  };
}
