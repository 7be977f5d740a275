import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import {
  type SandboxParcelEvent,
  SandboxParcelEventSchema,
} from "../../../../gen/docket/sandbox/v1/sandbox_carrier_service_pb.js";
import type { ParsedCallback } from "../../../runtime/callbacks/callback-source.ts";
import { sandboxStatuses, stateOf } from "../../domain/carrier-status.ts";
import type { CarrierUpdate } from "../../domain/tracking.ts";
import type { CarrierReport } from "../carrier.ts";

/** Converts an event of the sandbox to the domain's form. Throws a TypeError if it lacks an id or a time. */
export function toUpdate(event: SandboxParcelEvent): CarrierUpdate {
  const occurredAt = Date.parse(event.occurredAt);
  if (event.id === "" || event.id.length > 128 || event.status.length > 64 || Number.isNaN(occurredAt)) {
    throw new TypeError("the event has no valid id, status or time");
  }
  return {
    eventId: event.id,
    status: event.status,
    state: stateOf(sandboxStatuses, event.status),
    message: event.message,
    location: event.location,
    occurredAt,
  };
}

/** Parses the body of a callback. */
export function readEvent(body: Uint8Array): ParsedCallback<CarrierReport> {
  const eventType = "";
  try {
    const json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)) as JsonValue;
    const event = fromJson(SandboxParcelEventSchema, json, { ignoreUnknownFields: true });
    return { eventType, content: { trackingNumber: event.trackingNumber, updates: [toUpdate(event)] } };
  } catch (error) {
    return { eventType, problem: error instanceof Error ? error.message : String(error) };
  }
}
