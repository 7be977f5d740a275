import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type DeadLetter as DeadLetterMessage,
  DeadLetterSchema,
} from "../../../gen/docket/operations/v1/operations_pb.js";
import { parseName } from "../api/resource-name.ts";
import { failedPrecondition, notFound } from "../errors.ts";
import type { DeadLetter } from "../inbox/dead-letters.ts";

/** Converts a dead letter of a service to its message. */
export function toDeadLetterMessage(service: string, letter: DeadLetter): DeadLetterMessage {
  return create(DeadLetterSchema, {
    name: `deadLetters/${letter.id}`,
    service,
    tenant: letter.tenant,
    consumer: letter.consumer,
    eventType: letter.eventType,
    eventId: letter.messageId,
    aggregate: letter.aggregate,
    payload: letter.data,
    errorMessage: letter.error,
    attemptCount: letter.attempts,
    createTime: timestampFromMs(letter.createdAt),
    ...(letter.replayedAt !== undefined && { replayTime: timestampFromMs(letter.replayedAt) }),
  });
}

/**
 * Returns the id in `deadLetters/{dead_letter}`.
 *
 * @throws ConnectError NOT_FOUND for a malformed name
 */
export function deadLetterIdOf(name: string): string {
  const id = parseName("deadLetters/{dead_letter}", name)?.dead_letter;
  if (id === undefined) {
    throw deadLetterNotFound(name);
  }
  return id;
}

export function deadLetterNotFound(name: string) {
  return notFound("docket.dev/DeadLetter", name);
}

/** The consumer failed again; the dead letter has the new error. */
export function replayFailed(name: string, consumer: string) {
  return notReplayed("REPLAY_FAILED", name, `${consumer} failed again; error_message of the dead letter has its error`);
}

/** The service no longer has the consumer. */
export function consumerRemoved(name: string, consumer: string) {
  return notReplayed("CONSUMER_REMOVED", name, `the service no longer has the consumer ${consumer}`);
}

function notReplayed(reason: string, name: string, description: string) {
  return failedPrecondition(reason, `not replayed: ${description}`, [{ type: reason, subject: name, description }], {
    dead_letter: name,
  });
}
