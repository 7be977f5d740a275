import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  Saga_State,
  type Saga as SagaMessage,
  SagaSchema,
  SagaStep_State,
  SagaStepSchema,
} from "../../../gen/docket/operations/v1/operations_pb.js";
import { parseName } from "../api/resource-name.ts";
import { failedPrecondition, notFound } from "../errors.ts";
import type { Saga } from "../saga/saga.ts";

/** Converts a saga of a service to its operator-facing message, which omits the saga's state. */
export function toSagaMessage(service: string, saga: Saga): SagaMessage {
  return create(SagaSchema, {
    service,
    tenant: saga.tenant,
    name: sagaName(saga.id),
    definition: saga.definition,
    definitionVersion: saga.version,
    aggregate: saga.aggregate,
    state: Saga_State[saga.status],
    steps: saga.steps.map((step) =>
      create(SagaStepSchema, {
        step: step.name,
        state: SagaStep_State[step.status],
        attemptCount: step.attempts,
        lastError: step.errors.at(-1)?.message ?? "",
        ...(step.beganAt !== undefined && { startTime: timestampFromMs(step.beganAt) }),
        ...(step.endedAt !== undefined && { endTime: timestampFromMs(step.endedAt) }),
      }),
    ),
    failureMessage: saga.failure ? `${saga.failure.reason} at ${saga.failure.step}: ${saga.failure.message}` : "",
    ...(saga.dueAt !== undefined && { nextRunTime: timestampFromMs(saga.dueAt) }),
    createTime: timestampFromMs(saga.createdAt),
    updateTime: timestampFromMs(saga.updatedAt),
  });
}

function sagaName(id: string): string {
  return `sagas/${id}`;
}

/**
 * Returns the id in `sagas/{saga}`.
 *
 * @throws ConnectError NOT_FOUND for a malformed name
 */
export function sagaIdOf(name: string): string {
  const id = parseName("sagas/{saga}", name)?.saga;
  if (id === undefined) {
    throw sagaNotFound(name);
  }
  return id;
}

export function sagaNotFound(name: string) {
  return notFound("docket.dev/Saga", name);
}

/** The saga's status does not allow the command. */
export function wrongSagaState(name: string, status: string) {
  const description = `the saga is ${status}`;
  return failedPrecondition(
    "SAGA_STATE",
    `not possible: ${description}`,
    [{ type: "SAGA_STATE", subject: name, description }],
    { saga: name, state: status },
  );
}
