import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  Saga_State,
  type Saga as SagaMessage,
  SagaSchema,
  SagaStep_State,
  SagaStepSchema,
} from "../../../../gen/docket/operations/v1/operations_pb.js";
import { parseName } from "../../../runtime/api/resource-name.ts";
import { notFound } from "../../../runtime/errors.ts";
import type { Saga } from "../../../runtime/saga/saga.ts";

/** Converts a saga to its operator-facing message, which omits the saga's state. */
export function toSagaMessage(saga: Saga): SagaMessage {
  return create(SagaSchema, {
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

export function sagaName(id: string): string {
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
