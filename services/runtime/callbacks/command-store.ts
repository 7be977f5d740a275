import type { Batch, Command, Commands, ExecuteOptions, KeySet } from "../commands/command.ts";
import { defineMapping } from "../commands/mapping.ts";
import { defineTable } from "../commands/table.ts";
import type { Database } from "../db/connect.ts";
import { fullJitterMs } from "../values/backoff.ts";
import type { ParsedCallback } from "./callback-source.ts";
import type { Applied, CallbackStore, CallbackStoreOptions, CallbackToApply } from "./callback-store.ts";
import {
  findCallback,
  type NewCallback,
  postponeCallback,
  receivedRow,
  type StoredCallback,
  toCallback,
} from "./rows.ts";
import type { CallbackInboxTables, InboundCallbacksTable } from "./tables.ts";

/** Verified callbacks as commands read and write them: a row is its value. */
const callbacks = defineMapping({
  root: defineTable<InboundCallbacksTable>({
    name: "inbound_callbacks",
    key: ["id"],
    columns: [
      ...(["id", "source", "event_id", "event_type", "tenant_id", "subject", "reference", "state", "headers"] as const),
      ...(["body", "receive_count", "failure_message", "received_at", "processed_at", "attempt", "due_at"] as const),
    ],
  }),
  unique: { event: ["source", "event_id"] },
  indexes: { reference: { columns: ["source", "reference"], name: "inbound_callbacks_reference" } },
  keyOf: ({ id }: InboundCallbacksTable) => [id] as const,
  fromRows: (row) => row,
  toRow: (row) => row,
});

export interface CommandStoreOptions<DB extends CallbackInboxTables, Content> extends CallbackStoreOptions<Content> {
  readonly db: Database<DB>;
  readonly commands: Commands;
  /** The command that applies a callback. Must be idempotent. An exception rejects it, and the callback is retried. */
  readonly apply: (callback: CallbackToApply<Content>) => Command<Applied>;
}

/** A resource that callbacks wait for. */
type Waited = readonly [source: string, reference: string];

/** Applies each callback with a command, so that concurrent ones share a transaction. */
export interface CommandStore<Content> extends CallbackStore<Content> {
  /** Names the callbacks that wait for a resource, for `wake`. */
  nameWaiting(need: KeySet, waited: Waited): void;
  /** Makes due the callbacks that wait for a resource, including those that FAILED waiting. Nudge the inbox then. */
  wake(batch: Batch, waited: Waited): void;
  /** Applies a stored callback again, whatever its state. `early` leaves it unchanged. */
  replay(callback: StoredCallback, options?: ExecuteOptions): Promise<{ applied: Applied; callback: StoredCallback }>;
}

export function createCommandStore<DB extends CallbackInboxTables, Content>(
  options: CommandStoreOptions<DB, Content>,
): CommandStore<Content> {
  const { db, commands, random, apply, retry, patienceMs } = options;
  const { kysely, dialect } = db as unknown as Database<CallbackInboxTables>;

  const commandOf = (
    { id, source }: Pick<StoredCallback, "id" | "source">,
    parsed: ParsedCallback<Content> | undefined,
  ): Command<Applied> => {
    if (parsed === undefined) {
      return constant({ kind: "early", problem: `the source ${source} is not configured` });
    }
    return "problem" in parsed
      ? constant({ kind: "failed", problem: `it cannot be read: ${parsed.problem}` })
      : apply({ id, source, content: parsed.content });
  };

  const commandOfStored = (callback: StoredCallback) =>
    commandOf(callback, options.source(callback.source)?.read(callback.body));

  /** The row after an attempt: settled, or due again after a pause. */
  const afterAttempt = (
    row: InboundCallbacksTable,
    applied: Applied,
    { nowMs, attempt }: { nowMs: number; attempt: number },
  ): InboundCallbacksTable => {
    if (applied.kind !== "early") {
      return settled(row, applied, nowMs);
    }
    const { problem, reference = row.reference } = applied;
    const isOver = nowMs - row.received_at >= patienceMs;
    const pauseMs = Math.ceil(fullJitterMs(Math.max(1, attempt), retry, random));
    return {
      ...row,
      state: isOver ? "FAILED" : "RECEIVED",
      due_at: isOver ? null : nowMs + pauseMs,
      failure_message: problem,
      reference,
    };
  };

  const receiveCommand = (callback: NewCallback, parsed: ParsedCallback<Content> | undefined): Command<void> => {
    const event = [callback.source, callback.eventId];
    const applying = parsed && commandOf(callback, parsed);
    return {
      keys(need) {
        need.freshBy(callbacks, "event", event);
        applying?.keys(need);
      },
      decide(batch) {
        const stored = batch.find(callbacks, "event", event);
        if (stored !== undefined) {
          batch.update(callbacks, { ...stored, receive_count: stored.receive_count + 1 });
          return;
        }
        const { nowMs } = batch;
        const row = receivedRow(callback, nowMs);
        batch.insert(
          callbacks,
          applying === undefined ? row : afterAttempt(row, applying.decide(batch), { nowMs, attempt: 1 }),
        );
      },
    };
  };

  /** Applies a stored callback again, if `write` returns its next row. */
  const stored = <Result>(
    callback: StoredCallback,
    write: (row: InboundCallbacksTable, apply: () => Applied, batch: Batch) => Result,
    { signal }: ExecuteOptions = {},
  ): Promise<Result | undefined> => {
    const applying = commandOfStored(callback);
    const command: Command<Result | undefined> = {
      keys(need) {
        need.one(callbacks, [callback.id]);
        applying.keys(need);
      },
      decide(batch) {
        const row = batch.get(callbacks, [callback.id]);
        return row && write(row, () => applying.decide(batch), batch);
      },
    };
    return commands.execute(command, { signal });
  };

  return {
    receive: (callback, parsed) => commands.execute(receiveCommand(callback, parsed)),
    async process({ id, attempt }) {
      const callback = await findCallback(kysely, id);
      if (callback?.state === "RECEIVED") {
        await stored(callback, (row, applyAgain, batch) => {
          if (row.state === "RECEIVED") {
            batch.update(callbacks, afterAttempt(row, applyAgain(), { nowMs: batch.nowMs, attempt }));
          }
        });
      }
    },
    async postpone({ id, attempt }, problem) {
      const pauseMs = fullJitterMs(Math.max(1, attempt), retry, random);
      await postponeCallback(kysely, dialect, id, { pauseMs, patienceMs, problem, reference: undefined });
    },
    nameWaiting: (need, waited) => need.all(callbacks, "reference", waited),
    wake(batch, waited) {
      for (const row of batch.list(callbacks, "reference", waited)) {
        if (row.subject === "" && (row.state === "RECEIVED" || row.state === "FAILED")) {
          batch.update(callbacks, { ...row, state: "RECEIVED", due_at: batch.nowMs });
        }
      }
    },
    async replay(callback, executeOptions) {
      const write = (row: InboundCallbacksTable, applyAgain: () => Applied, batch: Batch) => {
        const applied = applyAgain();
        if (applied.kind === "early") {
          return { applied, callback: toCallback(row) };
        }
        const after = settled(row, applied, batch.nowMs);
        batch.update(callbacks, after);
        return { applied, callback: toCallback(after) };
      };
      const replayed = await stored(callback, write, executeOptions);
      return replayed ?? { applied: { kind: "early", problem: "it was deleted" }, callback };
    },
  };
}

function constant(applied: Applied): Command<Applied> {
  return { keys: () => {}, decide: () => applied };
}

/** The row of a callback that was applied or has failed. One that was PROCESSED before stays so. */
function settled(
  row: InboundCallbacksTable,
  applied: Exclude<Applied, { kind: "early" }>,
  nowMs: number,
): InboundCallbacksTable {
  const { tenant = row.tenant_id, subject = row.subject } = applied;
  const wasProcessed = row.state === "PROCESSED";
  return {
    ...row,
    state: applied.kind === "failed" ? "FAILED" : applied.changed || wasProcessed ? "PROCESSED" : "IGNORED",
    failure_message: applied.kind === "failed" ? applied.problem : "",
    processed_at: nowMs,
    due_at: null,
    tenant_id: tenant,
    subject,
  };
}
