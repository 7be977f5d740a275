import type { Command } from "../../commands/command.ts";
import { currentStep, dueAtOf, type SagaRecord } from "../record.ts";
import { decodeRecord, encodeRecord } from "./record-codec.ts";
import { sagaRows } from "./saga-rows.ts";
import { type Checkpoint, type Committed, EffectError, FencedError } from "./saga-store.ts";

/** A runner, as its checkpoints write it. */
export interface CheckpointOwner {
  /** Globally unique id of the runner. */
  readonly owner: string;
  readonly leaseMs: number;
}

/**
 * Stores a change of a claimed saga together with its effects.
 *
 * @throws FencedError if another runner has claimed the saga; EffectError if a step's own command or a hook throws
 */
export function checkpointCommand(
  { saga, commands, events, change, keys, hook, keeps }: Checkpoint,
  { owner, leaseMs }: CheckpointOwner,
): Command<Committed> {
  const effect = (run: () => void) => {
    try {
      run();
    } catch (error) {
      throw new EffectError(saga.id, error);
    }
  };
  return {
    keys(need) {
      need.one(sagaRows, [saga.id]);
      keys(need);
      for (const command of commands) {
        command.keys(need);
      }
    },
    decide(batch) {
      const row = batch.get(sagaRows, [saga.id]);
      if (row?.epoch !== saga.epoch) {
        throw new FencedError(saga.id);
      }
      for (const command of commands) {
        effect(() => command.decide(batch));
      }
      for (const event of events) {
        batch.publish(event);
      }
      const { record, hooks } = change(row.revision === saga.revision ? undefined : decodeRecord(row));
      for (const called of hooks) {
        effect(() => hook(batch, called, record));
      }
      const kept = keeps(record);
      const revision = row.revision + 1;
      batch.update(sagaRows, {
        ...row,
        ...{ status: record.status, step: currentStep(record).name, data: encodeRecord(record), revision },
        ...placed(record, kept, batch.nowMs),
        ...{ takeovers: 0, updated_at: batch.nowMs },
      });
      return { record, revision, kept };
    },
  };

  function placed(record: SagaRecord, kept: boolean, now: number) {
    return kept ? { owner, due_at: now + leaseMs } : { owner: null, due_at: dueAtOf(record) };
  }
}
