import { done, refused, type SagaDefinition } from "../definition.ts";
import { type LedgerTables, note } from "./ledger.ts";

const STEPS = ["one", "two", "three", "four"];

/**
 * Four steps with an effect outside and a line in the ledger each, the last with the process that wrote it. Sagas whose
 * id ends in 0 are refused at the last step, so that they are undone.
 */
export function crashingSaga(effect: (key: string) => Promise<void>): SagaDefinition<null, LedgerTables> {
  const worker = `${process.pid}`;
  return {
    name: "crashing",
    version: 1,
    steps: STEPS.map((name, at) => ({
      name,
      retry: { maxAttempts: 50, initialMs: 1, maxMs: 10 },
      compensationRetry: { maxAttempts: 50, initialMs: 1, maxMs: 10 },
      async invoke({ sagaId, idempotencyKey }) {
        if (at === STEPS.length - 1 && sagaId.endsWith("0")) {
          return refused("NO");
        }
        await effect(idempotencyKey);
        return done({ checkpoint: (trx) => note(trx, idempotencyKey, worker) });
      },
      async compensate({ idempotencyKey }) {
        await effect(idempotencyKey);
        return done({ checkpoint: (trx) => note(trx, idempotencyKey, worker) });
      },
    })),
    onSucceeded: (trx, { id }) => note(trx, `${id} succeeded`, worker),
    onCompensated: (trx, { id }) => note(trx, `${id} compensated`, worker),
  };
}

/** All lines that a saga leaves in the ledger, and their order. */
export function expectedNotes(id: string): readonly string[] {
  const did = STEPS.map((name) => `${id}/${name}`);
  if (!id.endsWith("0")) {
    return [...did, `${id} succeeded`];
  }
  const undone = STEPS.slice(0, 3)
    .reverse()
    .map((name) => `${id}/${name}/undo`);
  // The refused step is undone as well where a runner was lost at it; that leaves a line only then.
  return [...did.slice(0, 3), ...undone, `${id} compensated`];
}
