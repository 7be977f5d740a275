import { type AggregateKey, keyOf, type Run } from "./unsent.ts";

/** The last events that a relay sent, by aggregate, to send the next ones without reading the table. */
export interface Progress {
  /** Whether the run is the aggregate's first, or directly follows the last event that was sent. */
  isNext(run: Run): boolean;
  /** Records that a run is being sent. */
  advance(run: Run): void;
  /** Forgets an aggregate, whose next events have to be read. */
  forget(key: AggregateKey): void;
  clear(): void;
}

/** Aggregates to remember; of further ones, the longest unused is forgotten. */
const CAPACITY = 20_000;

export function createProgress(): Progress {
  const sentThrough = new Map<string, number>();
  return {
    isNext: (run) => run.events[0]?.sequence === (sentThrough.get(keyOf(run)) ?? 0) + 1,
    advance(run) {
      const key = keyOf(run);
      sentThrough.delete(key);
      sentThrough.set(key, run.events.at(-1)?.sequence ?? 0);
      const [oldest] = sentThrough.size > CAPACITY ? sentThrough.keys() : [];
      if (oldest !== undefined) {
        sentThrough.delete(oldest);
      }
    },
    forget: (key) => void sentThrough.delete(keyOf(key)),
    clear: () => sentThrough.clear(),
  };
}
