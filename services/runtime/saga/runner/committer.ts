import { setTimeout as sleep } from "node:timers/promises";
import type { Commands } from "../../commands/command.ts";
import { type DatabaseErrorKind, databaseErrorKind } from "../../db/errors.ts";
import { reasonOf } from "../../errors.ts";
import { type CheckpointOwner, checkpointCommand } from "../store/checkpoint-command.ts";
import { type Checkpoint, type Committed, EffectError, FencedError } from "../store/saga-store.ts";

/** Outcome of a checkpoint. */
export type CheckpointOutcome =
  | ({ readonly kind: "committed" } & Committed)
  /** Another runner has claimed the saga. Nothing was written. */
  | { readonly kind: "fenced" }
  /** Its own writes failed and would fail again. Nothing was written. */
  | { readonly kind: "failed"; readonly error: unknown }
  /** The database failed, so it may or may not have been written. */
  | { readonly kind: "lost"; readonly error: unknown };

/** Stores a checkpoint. Never rejects. */
export type Committer = (checkpoint: Checkpoint) => Promise<CheckpointOutcome>;

export interface CommitterOptions extends CheckpointOwner {
  readonly commands: Pick<Commands, "execute">;
}

/** Delay before a checkpoint that the command processor refused because too many commands wait. */
const OVERLOADED_MS = 100;

/**
 * Creates the committer of a runner. Checkpoints are commands, so all that are ready at the same time share a batch with
 * each other and with the other commands of the database.
 */
export function createCommitter({ commands, owner, leaseMs }: CommitterOptions): Committer {
  const commit: Committer = async (checkpoint) => {
    try {
      const { saga } = checkpoint;
      const command = checkpointCommand(checkpoint, { owner, leaseMs });
      return { kind: "committed", ...(await commands.execute(command, { tenant: saga.tenant })) };
    } catch (error) {
      if (reasonOf(error) === "OVERLOADED") {
        await sleep(OVERLOADED_MS);
        return commit(checkpoint);
      }
      return outcomeOf(error);
    }
  };
  return commit;
}

const unavailableKinds: ReadonlySet<DatabaseErrorKind | undefined> = new Set(["lost", "commit-unknown", "conflict"]);

/** The outcome of a checkpoint that was rejected alone. */
function outcomeOf(error: unknown): CheckpointOutcome {
  if (error instanceof FencedError) {
    return { kind: "fenced" };
  }
  if (error instanceof EffectError) {
    return { kind: "failed", error: error.cause };
  }
  // What may have been committed must not be repeated. The next claim reads the actual state.
  return { kind: unavailableKinds.has(databaseErrorKind(error)) ? "lost" : "failed", error };
}
