import type { ParsedCallback } from "../../../runtime/callbacks/callback-source.ts";
import { sandboxStatuses, stateOf } from "../../domain/carrier-status.ts";
import type { CarrierUpdate } from "../../domain/tracking.ts";
import type { CarrierReport } from "../carrier.ts";

/** The sandbox's wire format of a tracking event, in callbacks and in tracking responses. */
export interface SandboxEvent {
  readonly id: string;
  readonly tracking_number: string;
  readonly status: string;
  readonly message: string;
  readonly location: string;
  /** ISO 8601 UTC. */
  readonly occurred_at: string;
}

/** Converts a sandbox event to the domain's form. */
export function toUpdate(event: SandboxEvent): CarrierUpdate {
  return {
    eventId: event.id,
    status: event.status,
    state: stateOf(sandboxStatuses, event.status),
    message: event.message,
    location: event.location,
    occurredAt: Date.parse(event.occurred_at),
  };
}

/** Parses the body of a callback. */
export function readEvent(body: Uint8Array): ParsedCallback<CarrierReport> {
  const eventType = "";
  try {
    const event: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    return isEvent(event)
      ? { eventType, content: { trackingNumber: event.tracking_number, updates: [toUpdate(event)] } }
      : { eventType, problem: "the body is not a sandbox event" };
  } catch (error) {
    return { eventType, problem: error instanceof Error ? error.message : String(error) };
  }
}

const texts = ["id", "tracking_number", "status", "message", "location", "occurred_at"] as const;

function isEvent(value: unknown): value is SandboxEvent {
  if (typeof value !== "object" || value === null) {
    return false;
  }
  const event = value as Partial<Record<string, unknown>>;
  return (
    texts.every((key) => typeof event[key] === "string") &&
    `${event["id"]}`.length <= 128 &&
    `${event["status"]}`.length <= 64 &&
    !Number.isNaN(Date.parse(`${event["occurred_at"]}`))
  );
}
