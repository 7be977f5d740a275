import type { BookingOutcome, BookingRequest, CancelOutcome, Carrier } from "../carriers/carrier.ts";
import type { CarrierUpdate } from "../domain/tracking.ts";

/** A carrier with test-controlled responses that records its requests. */
export interface ScriptedCarrier extends Carrier {
  readonly booked: BookingRequest[];
  readonly cancelled: string[];
  /** Runs before each response, after a booking has taken effect. Throwing loses the response. */
  beforeResponse: (call: "book" | "cancel" | "track", signal: AbortSignal) => Promise<void>;
  cancelOutcome: CancelOutcome;
  updates: readonly CarrierUpdate[];
}

/** Creates a scripted carrier with the given name. Bookings are idempotent by reference, as the port requires. */
export function createScriptedCarrier(name = "scripted"): ScriptedCarrier {
  const bookings = new Map<string, BookingOutcome>();
  const carrier: ScriptedCarrier = {
    name,
    services: ["standard"],
    booked: [],
    cancelled: [],
    beforeResponse: async () => {},
    cancelOutcome: { kind: "cancelled" },
    updates: [],
    async book(request, signal) {
      const known = bookings.get(request.reference);
      const outcome: BookingOutcome = known ?? {
        kind: "booked",
        trackingNumber: `N${bookings.size + 1}`,
        trackingUrl: "https://carrier.invalid/N",
      };
      if (!known) {
        bookings.set(request.reference, outcome);
        carrier.booked.push(request);
      }
      await carrier.beforeResponse("book", signal);
      return outcome;
    },
    async cancel({ reference }, signal) {
      await carrier.beforeResponse("cancel", signal);
      if (carrier.cancelOutcome.kind === "cancelled") {
        carrier.cancelled.push(reference);
        bookings.set(reference, { kind: "refused", reason: "cancelled" });
      }
      return carrier.cancelOutcome;
    },
    async track(_, signal) {
      await carrier.beforeResponse("track", signal);
      return carrier.updates;
    },
    async verify({ header, body }) {
      const eventId = header.get("event-id");
      return eventId === null ? undefined : { eventId, ...carrier.read(body) };
    },
    read(body) {
      try {
        return { eventType: "", content: JSON.parse(new TextDecoder().decode(body)) };
      } catch (error) {
        return { eventType: "", problem: `${error}` };
      }
    },
    acknowledgement: { contentType: "text/plain", body: "success" },
  };
  return carrier;
}

/** Creates a tracking update at the given second of the carrier's clock. */
export function update(state: CarrierUpdate["state"], second: number): CarrierUpdate {
  return {
    eventId: `${state}-${second}`,
    status: `${state}`.toLowerCase(),
    state,
    message: "",
    location: "",
    occurredAt: 1_700_000_000_000 + second * 1000,
  };
}
