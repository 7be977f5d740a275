import type { Command } from "../../commands/command.ts";
import type { OutboxEvent } from "../../outbox/outbox.ts";
import type { StepEffects } from "../definition.ts";
import type { StepEvent } from "../machine.ts";
import { dueAtOf, type SagaRecord, type SagaShape, type Transition } from "../record.ts";
import { continuesUnstored } from "../transitions.ts";

/** What a runner has done for a saga since it was last stored. */
export interface Segment {
  readonly record: SagaRecord;
  /** The changes of its steps, in order. */
  readonly commands: readonly Command<void>[];
  readonly events: readonly OutboxEvent[];
  /** Monotonic time at which the saga was stored. */
  readonly storedMs: number;
  readonly isEmpty: boolean;
}

/** A segment that begins with a stored record. */
export function segmentFrom(record: SagaRecord, storedMs: number): Segment {
  return { record, commands: [], events: [], storedMs, isEmpty: true };
}

/** The segment with the effects of one more step. */
export function withEffects<State>(
  segment: Segment,
  record: SagaRecord,
  { command, events = [] }: StepEffects<State>,
): Segment {
  return {
    ...segment,
    record,
    isEmpty: false,
    commands: command === undefined ? segment.commands : [...segment.commands, command],
    events: [...segment.events, ...events],
  };
}

/** Whether the saga may continue with its next step before this one is stored. */
export function mayContinueUnstored(
  { steps }: SagaShape,
  before: SagaRecord,
  event: StepEvent,
  { record, hooks }: Transition,
  now: number,
): boolean {
  const dueAt = dueAtOf(record);
  return (
    event.kind === "done" &&
    // What the next step does depends on the state, so it must not be lost.
    event.state === undefined &&
    hooks.length === 0 &&
    record.status === before.status &&
    dueAt !== null &&
    dueAt <= now &&
    (record.status === "COMPENSATING"
      ? steps[before.at]?.isolated !== true && steps[record.at]?.isolated !== true
      : continuesUnstored(steps, before.at))
  );
}
