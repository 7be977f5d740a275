import { isCollected, type SandboxWord, scriptOf, words } from "./parcel-script.ts";

/** A parcel as stored by the sandbox. Times are epoch milliseconds. */
export interface Parcel {
  readonly reference: string;
  /** Empty for a parcel that was cancelled before its booking arrived. */
  readonly tracking_number: string;
  readonly service: string;
  readonly booked_at: number;
  readonly cancelled_at: number | null;
  /** Number of tracking requests. Advances the parcels of services without callbacks. */
  readonly asked: number;
}

/** An event in the sandbox's wire format, in callbacks and in tracking responses. */
export interface ParcelEvent {
  readonly id: string;
  readonly tracking_number: string;
  readonly status: SandboxWord;
  readonly message: string;
  readonly location: string;
  /** RFC 3339, UTC. */
  readonly occurred_at: string;
}

/** Returns all events of a parcel's script, past and future, in order. */
export function eventsOf(parcel: Parcel, stepMs: number): readonly ParcelEvent[] {
  const { stages = [], sent } = scriptOf(parcel.service) ?? {};
  const pace = sent === "at once" || sent === "never" ? 1 : stepMs;
  return stages.map((status, i) => ({
    id: `${parcel.tracking_number}-${i + 1}`,
    tracking_number: parcel.tracking_number,
    status,
    message: words[status],
    location: "Sandbox",
    occurred_at: new Date(parcel.booked_at + (i + 1) * pace).toISOString(),
  }));
}

/** Returns the events so far. A parcel without callbacks advances one stage per tracking request. */
export function pastEventsOf(parcel: Parcel, stepMs: number, nowMs: number): readonly ParcelEvent[] {
  const all = eventsOf(parcel, stepMs);
  if (scriptOf(parcel.service)?.sent === "never") {
    return all.slice(0, parcel.asked);
  }
  const untilMs = parcel.cancelled_at ?? nowMs;
  return all.filter((event) => Date.parse(event.occurred_at) <= untilMs);
}

/** Returns whether the sandbox has collected the parcel. */
export function isCollectedBy(parcel: Parcel, stepMs: number, nowMs: number): boolean {
  return pastEventsOf(parcel, stepMs, nowMs).some(({ status }) => isCollected(status));
}

/** The callbacks of a new parcel: each event with the delay of each of its sendings, in the order of its script. */
export function callbacksOf(parcel: Parcel, stepMs: number): readonly { event: ParcelEvent; delayMs: number }[] {
  const { sent = "in order", repeat = 1 } = scriptOf(parcel.service) ?? {};
  if (sent === "never") {
    return [];
  }
  const all = eventsOf(parcel, stepMs);
  const order = sent === "reversed" ? all.toReversed() : all;
  return order.flatMap((event, i) =>
    Array.from({ length: repeat }, () => ({ event, delayMs: sent === "at once" ? 0 : (i + 1) * stepMs })),
  );
}
