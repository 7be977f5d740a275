import { Webhook } from "standardwebhooks";
import { verifiedMessageId } from "../../../runtime/callbacks/standard-webhooks.ts";
import type { Database } from "../../../runtime/db/connect.ts";
import type { Clock } from "../../../runtime/values/clock.ts";
import type { Ids } from "../../../runtime/values/ids.ts";
import type { Callback } from "../../../runtime/webhooks/callback.ts";
import type { WebhookSender } from "../../../runtime/webhooks/webhook-sender.ts";
import type { LogisticsDatabase } from "../../db/schema.ts";
import {
  cancelParcel,
  countAsking,
  findParcel,
  insertParcel,
  lockParcel,
  type SandboxParcel,
} from "../../store/sandbox-parcels.ts";
import type { BookingOutcome, Carrier } from "../carrier.ts";
import { isCollected, scriptOf, serviceNames, words } from "./script.ts";
import { readEvent, type SandboxEvent, toUpdate } from "./wire.ts";

export interface SandboxCarrierOptions {
  /** The service's database. The sandbox simulates an external system, so it uses only its own table. */
  readonly db: Database<LogisticsDatabase>;
  /** Sends the sandbox's callbacks, signed with `secret`. */
  readonly callbacks: WebhookSender;
  readonly clock: Clock;
  readonly ids: Ids;
  /** The Standard Webhooks signing secret, `whsec_…`. */
  readonly secret: string;
  /** Time between two stages of a parcel. */
  readonly stepMs: number;
}

const WEBHOOK = "/v1/webhooks/carriers/sandbox";

/**
 * Creates a simulated carrier for the standalone program and for tests. A parcel follows the script of its service (see
 * `script.ts`), and its events are sent as signed callbacks. Bookings and pending callbacks survive a restart.
 */
export function createSandboxCarrier(options: SandboxCarrierOptions): Carrier {
  const { db, callbacks, clock, ids, secret, stepMs } = options;
  const webhook = new Webhook(secret);
  const eventsOf = (parcel: SandboxParcel) => eventsOfScript(parcel, stepMs);

  return {
    name: "sandbox",
    services: serviceNames,

    async book({ reference, service }) {
      const script = scriptOf(service);
      if (service === "refuse" || script === undefined) {
        const why = service === "refuse" ? "requested" : `no service ${JSON.stringify(service)}`;
        return { kind: "refused", reason: `refused (${why}); known services: ${serviceNames.join(", ")}` };
      }
      return db.transaction(async (trx) => {
        const bookedAt = clock.now().getTime();
        const parcel: SandboxParcel = {
          reference,
          tracking_number: `SBX${ids.next().toUpperCase()}`,
          service,
          booked_at: bookedAt,
          cancelled_at: null,
          asked: 0,
        };
        if (await insertParcel(trx, parcel)) {
          await callbacks.schedule(trx, toCallbacks(parcel, stepMs));
          return booked(parcel);
        }
        return booked((await lockParcel(trx, db.dialect, reference)) ?? parcel);
      });
    },

    async cancel({ reference }) {
      return db.transaction(async (trx) => {
        const nowMs = clock.now().getTime();
        const parcel = await lockParcel(trx, db.dialect, reference);
        if (parcel === undefined) {
          await insertParcel(trx, {
            reference,
            tracking_number: "",
            service: "",
            booked_at: nowMs,
            cancelled_at: nowMs,
            asked: 0,
          });
          return { kind: "cancelled" };
        }
        if (parcel.cancelled_at !== null) {
          return { kind: "cancelled" };
        }
        if (pastEvents(parcel, stepMs, nowMs).some(({ word }) => isCollected(word))) {
          return { kind: "too-late", reason: "the sandbox has collected the parcel" };
        }
        await cancelParcel(trx, reference, nowMs);
        await callbacks.cancel(
          trx,
          eventsOf(parcel).map(({ event }) => event.id),
        );
        return { kind: "cancelled" };
      });
    },

    async track({ reference }) {
      await countAsking(db.kysely, reference);
      const parcel = await findParcel(db.kysely, reference);
      if (parcel === undefined) {
        return [];
      }
      return pastEvents(parcel, stepMs, clock.now().getTime()).map(({ event }) => toUpdate(event));
    },

    async verify(callback) {
      const eventId = verifiedMessageId(webhook, callback);
      return eventId === undefined ? undefined : { eventId, ...readEvent(callback.body) };
    },

    read: readEvent,
    acknowledgement: { contentType: "application/json", body: '{"received":true}' },
  };
}

function booked(parcel: SandboxParcel): BookingOutcome {
  if (parcel.cancelled_at !== null) {
    return { kind: "refused", reason: "the shipment was cancelled" };
  }
  const trackingNumber = parcel.tracking_number;
  return { kind: "booked", trackingNumber, trackingUrl: `https://sandbox.invalid/track/${trackingNumber}` };
}

interface ScriptedEvent {
  readonly word: keyof typeof words;
  readonly event: SandboxEvent;
}

/** Returns all events of a parcel's script, past and future, in order. */
function eventsOfScript(parcel: SandboxParcel, stepMs: number): ScriptedEvent[] {
  const { stages = [], sent } = scriptOf(parcel.service) ?? {};
  const pace = sent === "at once" || sent === "never" ? 1 : stepMs;
  return stages.map((word, i) => ({
    word,
    event: {
      id: `${parcel.tracking_number}-${i + 1}`,
      tracking_number: parcel.tracking_number,
      status: word,
      message: words[word],
      location: "Sandbox",
      occurred_at: new Date(parcel.booked_at + (i + 1) * pace).toISOString(),
    },
  }));
}

/** Returns the events so far. A parcel without callbacks advances one stage per tracking request. */
function pastEvents(parcel: SandboxParcel, stepMs: number, nowMs: number): ScriptedEvent[] {
  const all = eventsOfScript(parcel, stepMs);
  if (scriptOf(parcel.service)?.sent === "never") {
    return all.slice(0, parcel.asked);
  }
  const untilMs = parcel.cancelled_at ?? nowMs;
  return all.filter(({ event }) => Date.parse(event.occurred_at) <= untilMs);
}

function toCallbacks(parcel: SandboxParcel, stepMs: number): Callback[] {
  const { sent = "in order", repeat = 1 } = scriptOf(parcel.service) ?? {};
  const all = eventsOfScript(parcel, stepMs);
  if (sent === "never") {
    return [];
  }
  const order = sent === "reversed" ? all.toReversed() : all;
  return order.flatMap(({ event }, i) => {
    const callback: Callback = {
      messageId: event.id,
      url: WEBHOOK,
      body: JSON.stringify(event),
      delayMs: sent === "at once" ? 0 : (i + 1) * stepMs,
    };
    return Array.from({ length: repeat }, () => callback);
  });
}
