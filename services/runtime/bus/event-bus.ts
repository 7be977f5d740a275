/**
 * One event on its way: the attributes of CloudEvents 1.0 (github.com/cloudevents/spec), with ours beside them.
 * `aggregate` is CloudEvents' `subject`; `sequence`, `tenant` and what is in `extensions` are extension attributes.
 */
export interface BusEvent {
  /** Unique among all events; the same event keeps it over every delivery. A consumer removes duplicates by it. */
  readonly id: string;
  /** The full name of the Protobuf message in `data`, for example `docket.trip.v1.TripBooked`. */
  readonly type: string;
  /** Who published it, for example `docket/trips`. */
  readonly source: string;
  /** What it is about, as a resource name. Events of one aggregate of one tenant are delivered in the order of `sequence`. */
  readonly aggregate: string;
  /** 1, 2, 3, … within the aggregate, without a gap. */
  readonly sequence: number;
  readonly tenant: string;
  /** When the transaction that published it wrote it. */
  readonly time: Date;
  /** The Protobuf message in the binary format. */
  readonly data: Uint8Array;
  /** Further CloudEvents extension attributes, such as `traceparent`: names are lower-case letters and digits. */
  readonly extensions: Readonly<Record<string, string>>;
}

/** Does what a consumer does with one event. When it rejects, the same event comes again after a pause. */
export type EventHandler = (event: BusEvent) => Promise<void>;

/**
 * The port through which events go from service to service. Every implementation passes `event-bus-suite.ts`:
 *
 * - **at least once**: an event whose `publish` resolved reaches every consumer that was subscribed, again and again
 *   until that consumer's handler resolves;
 * - **in order per aggregate**: a consumer gets event 2 of an aggregate after its handler resolved for event 1;
 *   events of different aggregates neither wait for each other nor have an order;
 * - subscriptions with the same consumer name share the work: each event goes to one of them.
 *
 * ```ts
 * const mails = bus.subscribe("mailer", ["docket.trip.v1.TripBooked"], async (event) => {
 *   await remember(event.id, fromBinary(TripBookedSchema, event.data));
 * });
 * await bus.publish([event]);
 * await mails[Symbol.asyncDispose]();
 * ```
 */
export interface EventBus extends AsyncDisposable {
  /**
   * Hands events over. Events of one aggregate must be given in their order, one call after the other.
   *
   * Resolves when every event is safe without the caller: the caller may then forget it. Rejects when that is not
   * known of at least one of them; the caller repeats all of them, and consumers may see some twice.
   */
  publish(events: readonly BusEvent[]): Promise<void>;

  /**
   * Gives this consumer every event of these types that is published from now on, and what it has not finished before.
   * Disposing the subscription lets the handlers that run finish, and delivers nothing more.
   */
  subscribe(consumer: string, types: readonly string[], handler: EventHandler): AsyncDisposable;
}
