import { setImmediate as nextTurn } from "node:timers/promises";
import { databaseErrorKind } from "../../db/errors.ts";
import { type Checkpoint, EffectError, FencedError, type SagaStore } from "../store/saga-store.ts";
import { type CheckpointOutcome, type Committer, outcomeOf } from "./committer.ts";

export interface GroupCommitOptions {
  /** Most concurrent transactions. */
  readonly parallel: number;
  /** Most checkpoints per transaction. */
  readonly batch: number;
}

interface Waiting<DB> {
  readonly checkpoint: Checkpoint<DB>;
  readonly done: (outcome: CheckpointOutcome) => void;
}

/**
 * Group commit of checkpoints with writes or hooks in a transaction: those that become ready at the same time, or while a transaction is in progress, share the next
 * one. A single checkpoint does not wait. One that cannot be written is removed and the others are committed without
 * it.
 */
export function createGroupCommit<DB>(
  store: Pick<SagaStore<DB>, "commit">,
  options: GroupCommitOptions,
): Committer<DB> {
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

/** Writes a batch, without checkpoints that cannot be written; never rejects. */
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

/**
 * Settles the checkpoints that an error concerns. Returns none if the error cannot be attributed; the checkpoints are
 * then written one by one.
 */
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
  // After a lost connection it may have been committed, and a retry would write everything twice.
  const ends = batch.length === 1 || kind === "lost" || kind === "commit-unknown";
  return ends ? of(outcomeOf(error), () => true) : new Set();
}
