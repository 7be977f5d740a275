import { setImmediate as nextTurn } from "node:timers/promises";
import { databaseErrorKind } from "../../db/errors.ts";
import { type Checkpoint, type Committed, EffectError, FencedError, type SagaStore } from "../store/saga-store.ts";

/** What became of a checkpoint. */
export type CheckpointOutcome =
  | ({ readonly kind: "committed" } & Committed)
  /** Another runner has the saga. Nothing was written. */
  | { readonly kind: "fenced" }
  /** What belongs to it failed and would fail again. Nothing was written. */
  | { readonly kind: "failed"; readonly error: unknown }
  /** The database failed: whether it was written is not known. */
  | { readonly kind: "lost"; readonly error: unknown };

export type Committer<DB> = (checkpoint: Checkpoint<DB>) => Promise<CheckpointOutcome>;

export interface CommitterOptions {
  /** How many transactions run at once at the most. */
  readonly parallel: number;
  /** How many checkpoints share one at the most. */
  readonly batch: number;
}

interface Waiting<DB> {
  readonly checkpoint: Checkpoint<DB>;
  readonly done: (outcome: CheckpointOutcome) => void;
}

/**
 * Group commit: checkpoints that are ready in the same moment, or become so while a transaction is under way, share the
 * next one. Alone, a checkpoint waits for nothing. One that cannot be written is taken out and the others go on without.
 */
export function createCommitter<DB>(store: Pick<SagaStore<DB>, "commit">, options: CommitterOptions): Committer<DB> {
  const queue: Waiting<DB>[] = [];
  let pumps = 0;

  const pump = async () => {
    pumps += 1;
    await nextTurn();
    while (queue.length > 0) {
      await settleAll(store, queue.splice(0, options.batch));
    }
    pumps -= 1;
  };

  return (checkpoint) =>
    new Promise((done) => {
      queue.push({ checkpoint, done });
      if (pumps < options.parallel) {
        void pump();
      }
    });
}

/** Writes a batch, without those that cannot be written; never rejects. */
async function settleAll<DB>(store: Pick<SagaStore<DB>, "commit">, batch: readonly Waiting<DB>[]): Promise<void> {
  let left = batch;
  while (left.length > 0) {
    try {
      const committed = await store.commit(left.map(({ checkpoint }) => checkpoint));
      left.forEach(({ done }, at) => {
        const outcome = committed[at];
        done(outcome ? { kind: "committed", ...outcome } : { kind: "lost", error: new Error("no outcome") });
      });
      return;
    } catch (error) {
      const out = settleFailed(left, error);
      if (out.size === 0) {
        for (const each of left) {
          await settleAll(store, [each]);
        }
        return;
      }
      left = left.filter((each) => !out.has(each));
    }
  }
}

/** Tells those whom the error concerns; none when it cannot be told whom of many. Those are then written one by one. */
function settleFailed<DB>(batch: readonly Waiting<DB>[], error: unknown): Set<Waiting<DB>> {
  const of = (outcome: CheckpointOutcome, whose: (id: string) => boolean) => {
    const out = batch.filter(({ checkpoint }) => whose(checkpoint.saga.id));
    for (const { done } of out) {
      done(outcome);
    }
    return new Set(out);
  };
  if (error instanceof FencedError) {
    return of({ kind: "fenced" }, (id) => error.ids.has(id));
  }
  if (error instanceof EffectError) {
    return of({ kind: "failed", error: error.cause }, (id) => id === error.id);
  }
  const kind = databaseErrorKind(error);
  if (kind === "lost" || kind === "commit-unknown") {
    // It may have been written: writing it again would do everything twice. Whoever claims the sagas next finds out.
    return of({ kind: "lost", error }, () => true);
  }
  if (batch.length > 1) {
    return new Set();
  }
  return of({ kind: kind === undefined ? "failed" : "lost", error }, () => true);
}
