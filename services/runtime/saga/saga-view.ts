import { dueAtOf, type SagaRecord } from "./record.ts";
import type { Saga } from "./saga.ts";
import type { SagaIdentity } from "./store/saga-store.ts";

/** A saga as seen by hooks, tests and operators. */
export function viewOf<State>(saga: SagaIdentity, record: SagaRecord, updatedAt: number): Saga<State> {
  const dueAt = dueAtOf(record);
  return {
    id: saga.id,
    tenant: saga.tenant,
    aggregate: saga.aggregate,
    definition: saga.definition,
    version: saga.version,
    status: record.status,
    state: record.state as State,
    step: record.steps[record.at]?.name ?? "",
    steps: record.steps.map(({ name, status, attempts, beganAt, endedAt, errors }) => ({
      ...{ name, status, attempts, errors },
      ...(beganAt === null ? {} : { beganAt }),
      ...(endedAt === null ? {} : { endedAt }),
    })),
    ...(record.failure === null ? {} : { failure: record.failure }),
    ...(record.attention === null ? {} : { attention: record.attention }),
    ...(dueAt === null ? {} : { dueAt }),
    createdAt: saga.createdAt,
    updatedAt,
  };
}
