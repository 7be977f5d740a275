import type { BookingAnswer, BookingRequest, CancelAnswer, Carrier } from "../carriers/carrier.ts";
import type { CarrierUpdate } from "../domain/tracking.ts";

/** A carrier whose answers a test decides; it keeps count of what arrived. */
export interface ScriptedCarrier extends Carrier {
  readonly booked: BookingRequest[];
  readonly cancelled: string[];
  /** Runs before each booking is answered, after it has taken effect; throwing loses the answer. */
  beforeAnswer: (call: "book" | "cancel" | "track", signal: AbortSignal) => Promise<void>;
  cancelAnswer: CancelAnswer;
  updates: readonly CarrierUpdate[];
}

/** `name` is what shipments call it. Bookings are idempotent by their reference, as the port asks. */
export function createScriptedCarrier(name = "scripted"): ScriptedCarrier {
  const answers = new Map<string, BookingAnswer>();
  const carrier: ScriptedCarrier = {
    name,
    services: ["standard"],
    booked: [],
    cancelled: [],
    beforeAnswer: async () => {},
    cancelAnswer: { kind: "cancelled" },
    updates: [],
    async book(request, signal) {
      const known = answers.get(request.reference);
      const answer: BookingAnswer = known ?? {
        kind: "booked",
        trackingNumber: `N${answers.size + 1}`,
        trackingUrl: "https://carrier.invalid/N",
      };
      if (!known) {
        answers.set(request.reference, answer);
        carrier.booked.push(request);
      }
      await carrier.beforeAnswer("book", signal);
      return answer;
    },
    async cancel({ reference }, signal) {
      await carrier.beforeAnswer("cancel", signal);
      if (carrier.cancelAnswer.kind === "cancelled") {
        carrier.cancelled.push(reference);
        answers.set(reference, { kind: "refused", reason: "cancelled" });
      }
      return carrier.cancelAnswer;
    },
    async track(_, signal) {
      await carrier.beforeAnswer("track", signal);
      return carrier.updates;
    },
    async verify({ header }) {
      const eventId = header.get("event-id");
      return eventId === null ? undefined : { eventId, eventType: "" };
    },
    read: (body) => JSON.parse(new TextDecoder().decode(body)),
    acknowledgement: { contentType: "text/plain", body: "success" },
  };
  return carrier;
}

/** One thing that the carrier tells, at this second of its clock. */
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
