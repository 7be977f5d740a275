import type { Run } from "./unsent.ts";

interface Waiting {
  readonly run: Run;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** Marks runs as sent. Runs sent while a statement is in progress share the next one. */
export function createMarker(mark: (runs: readonly Run[]) => Promise<void>): (run: Run) => Promise<void> {
  let waiting: Waiting[] = [];
  let marking = false;

  const pump = async () => {
    marking = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await mark(batch.map(({ run }) => run));
        for (const { done } of batch) {
          done();
        }
      } catch (error) {
        for (const { failed } of batch) {
          failed(error);
        }
      }
    }
    marking = false;
  };

  return (run) =>
    new Promise((done, failed) => {
      waiting.push({ run, done, failed });
      if (!marking) {
        void Promise.resolve().then(pump);
        marking = true;
      }
    });
}
