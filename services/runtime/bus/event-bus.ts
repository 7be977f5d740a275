/**
 * An event in transit: the attributes of CloudEvents 1.0 (github.com/cloudevents/spec) and Docket's extensions.
 * `aggregate` is CloudEvents' `subject`; `sequence`, `tenant` and `extensions` are extension attributes.
 */
export interface BusEvent {
  /** Globally unique and stable across redeliveries. Consumers deduplicate by it. */
  readonly id: string;
  /** The full name of the Protobuf message in `data`, for example `docket.trip.v1.TripBooked`. */
  readonly type: string;
  /** The publishing service, for example `docket/trips`. */
  readonly source: string;
  /**
   * Resource name of the event's subject. Events of one aggregate of one tenant are delivered in the order of
   * `sequence`.
   */
  readonly aggregate: string;
  /** Number within the aggregate: 1, 2, 3, … without gaps. */
  readonly sequence: number;
  readonly tenant: string;
  /** When the publishing transaction wrote it. */
  readonly time: Date;
  /** The Protobuf message in the binary format. */
  readonly data: Uint8Array;
  /** Further CloudEvents extension attributes, such as `traceparent`: names are lower-case letters and digits. */
  readonly extensions: Readonly<Record<string, string>>;
}

/**
 * Processes a batch of events, in which those of one aggregate are in order. If it rejects, the same batch is
 * redelivered whole after a delay, so a handler that must not hold up the events behind a poison message, such as the
 * inbox, stores that message elsewhere and resolves.
 */
export type BatchHandler = (events: readonly BusEvent[]) => Promise<void>;

/** Largest batch that a handler receives. An event whose data alone exceeds `maxBytes` is delivered by itself. */
export const batchLimits = { maxEvents: 128, maxBytes: 1024 * 1024 };

/**
 * Port for events between services. Every implementation passes `event-bus-suite.ts`:
 * - **at least once**: an event whose `publish` resolved is delivered to every consumer subscribed at that time, and
 *   redelivered until that consumer's handler resolves;
 * - **in order per aggregate**: a consumer receives event 2 of an aggregate after event 1, in the same batch or after
 *   its handler resolved; events of different aggregates are independent and unordered;
 * - **in batches**: a handler receives what is waiting, up to {@link batchLimits}, and nothing waits for a batch to
 *   fill; a subscription handles one batch at a time;
 * - **competing consumers**: subscriptions with the same consumer name share the work, and each event goes to one of
 *   them;
 * - **independent consumers**: one that fails or is slow does not delay the others.
 *
 * ```ts
 * const mails = bus.subscribe("mailer", ["docket.trip.v1.TripBooked"], async (events) => {
 *   await remember(events.map(({ id, data }) => ({ id, booked: fromBinary(TripBookedSchema, data) })));
 * });
 * await bus.publish([event]);
 * await mails[Symbol.asyncDispose]();
 * ```
 */
export interface EventBus extends AsyncDisposable {
  /**
   * Publishes events. Events of one aggregate must be published in their order, in sequential calls.
   *
   * Resolves once every event is safe without the caller, which may then delete it. Rejects if that is uncertain for
   * any of them; the caller then retries all, and consumers may see duplicates.
   */
  publish(events: readonly BusEvent[]): Promise<void>;

  /**
   * Subscribes a consumer to all events of these types published from now on, and to those it has not finished.
   * Disposing the subscription waits for running handlers and stops delivery.
   */
  subscribe(consumer: string, types: readonly string[], handler: BatchHandler): AsyncDisposable;
}
