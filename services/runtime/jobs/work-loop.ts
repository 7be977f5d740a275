import type { Logger } from "../telemetry/log.ts";

export interface WorkLoopOptions<Item> {
  /** For the log. */
  readonly name: string;
  readonly log: Logger;
  /** Takes up to `limit` items that nobody else will take now. */
  readonly claim: (limit: number) => Promise<readonly Item[]>;
  /** Does one. It keeps its own book of failures: what it throws is only logged. */
  readonly work: (item: Item, signal: AbortSignal) => Promise<void>;
  /** How many items are worked on at once at the most. */
  readonly concurrency: number;
  /** How often it looks without being nudged. */
  readonly pollMs: number;
}

/** Claims work and does it, in the background. */
export interface WorkLoop<Item = unknown> extends AsyncDisposable {
  start(): void;
  /** Looks for work now. */
  nudge(): void;
  /** Begins with an item that was claimed in another way. */
  add(item: Item): void;
  /** How many items more it would take. */
  room(): number;
  /** Claims nothing more and waits for what is being done. Repeatable. */
  drain(): Promise<void>;
}

/**
 * A loop over claimed work: looks when nudged and every `pollMs`, and again at once as long as it finds as much as it
 * can hold. Disposing drains it and aborts the signal of what takes longer than `drain` was given.
 */
export function createWorkLoop<Item>(options: WorkLoopOptions<Item>): WorkLoop<Item> {
  const { name, log, claim, work, concurrency, pollMs } = options;
  const stop = new AbortController();
  const running = new Set<Promise<void>>();
  let nudged = Promise.withResolvers<void>();
  let looping: Promise<void> | undefined;
  let draining = false;

  const begin = (item: Item) => {
    const done = work(item, stop.signal)
      .catch((error: unknown) => log.error({ err: error, loop: name }, "work failed"))
      .finally(() => {
        running.delete(done);
        nudged.resolve();
      });
    running.add(done);
  };

  const loop = async () => {
    while (!draining) {
      nudged = Promise.withResolvers();
      const room = concurrency - running.size;
      let found = 0;
      if (room > 0) {
        try {
          const items = await claim(room);
          found = items.length;
          items.forEach(begin);
        } catch (error) {
          log.warn({ err: error, loop: name }, "could not look for work");
        }
      }
      if (room <= 0 || found < room) {
        const timer = setTimeout(nudged.resolve, pollMs).unref();
        await nudged.promise;
        clearTimeout(timer);
      }
    }
  };

  const drain = async () => {
    draining = true;
    nudged.resolve();
    await looping;
    while (running.size > 0) {
      await Promise.all(running);
    }
  };

  return {
    start() {
      looping ??= loop();
    },
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
