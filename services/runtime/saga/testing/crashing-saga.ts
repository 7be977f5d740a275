import { done, refused, type SagaDefinition } from "../definition.ts";
import { note, noting } from "./ledger.ts";

const STEPS = ["one", "two", "three", "four"];

/**
 * A saga of four steps, each with an external effect and a ledger line; the last line names its process. Sagas whose id
 * ends in 0 are refused at the last step, and therefore compensated.
 */
export function crashingSaga(effect: (key: string) => Promise<void>): SagaDefinition<null> {
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
        return done({ command: noting(idempotencyKey, worker) });
      },
      async compensate({ idempotencyKey }) {
        await effect(idempotencyKey);
        return done({ command: noting(idempotencyKey, worker) });
      },
    })),
    hooks: {
      onSucceeded: (batch, { id }) => note(batch, `${id} succeeded`, worker),
      onCompensated: (batch, { id }) => note(batch, `${id} compensated`, worker),
    },
  };
}

/** All ledger lines of a saga, in order. */
export function expectedNotes(id: string): readonly string[] {
  const did = STEPS.map((name) => `${id}/${name}`);
  if (!id.endsWith("0")) {
    return [...did, `${id} succeeded`];
  }
  const undone = STEPS.slice(0, 3)
    .reverse()
    .map((name) => `${id}/${name}/undo`);
  // The refused step is compensated too if a runner was lost in its segment; only then it leaves a line.
  return [...did.slice(0, 3), ...undone, `${id} compensated`];
}
