import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { createServiceImplSpec, type ServiceImpl, type ServiceImplSpec, type Transport } from "@connectrpc/connect";
import {
  DeliverEventsResponseSchema,
  type Event,
  EventBusService,
  type EventSchema,
} from "../../../gen/docket/bus/v1/event_bus_service_pb.js";
import { createServiceClient } from "../call/service-client.ts";
import type { BusEvent, EventBus } from "./event-bus.ts";

export interface RemoteBusOptions {
  /** The bus of this process, with its consumers. */
  readonly local: EventBus;
  /** The other processes that may have consumers. */
  readonly peers: readonly Transport[];
  /** The name of this process in the calls that it makes. */
  readonly subject: string;
  /** How long a peer may take over one delivery. Default 30 s. */
  readonly timeoutMs?: number;
}

/** Most events and bytes of data in one delivery. */
const maxEvents = 500;
const maxBytes = 1024 * 1024;

/**
 * An event bus over several processes without a broker: what is published goes to the consumers of this process and, by
 * RPC, to those of every peer. Like the bus of one process it keeps nothing: `publish` resolves when every consumer has
 * handled every event, so the outbox row is what makes an event durable, and a peer that is down holds back the events
 * until it is there again.
 *
 * Each peer is one consumer process or several behind one address that share a database: the inbox removes duplicates.
 */
export function createRemoteBus({ local, peers, subject, timeoutMs = 30_000 }: RemoteBusOptions): EventBus {
  const clients = peers.map((peer) => createServiceClient(EventBusService, peer, { subject, timeoutMs }).for(""));
  return {
    async publish(events) {
      const toPeers = clients.map(async (client) => {
        // One after the other, so that events of one aggregate stay in order.
        for (const page of pagesOf(events)) {
          await client.deliverEvents({ events: page.map(toMessage) });
        }
      });
      const outcomes = await Promise.allSettled([local.publish(events), ...toPeers]);
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") {
          throw outcome.reason;
        }
      }
    },
    subscribe: (consumer, types, handler) => local.subscribe(consumer, types, handler),
    [Symbol.asyncDispose]: () => local[Symbol.asyncDispose](),
  };
}

/** The receiving end: what peers deliver is published on the bus of this process alone. */
export function eventBusRoutes(local: EventBus): ServiceImplSpec {
  return createServiceImplSpec<typeof EventBusService>(EventBusService, {
    async deliverEvents({ events }) {
      await local.publish(events.map(fromMessage));
      return create(DeliverEventsResponseSchema);
    },
  } satisfies ServiceImpl<typeof EventBusService>);
}

function* pagesOf(events: readonly BusEvent[]): Generator<readonly BusEvent[]> {
  let page: BusEvent[] = [];
  let bytes = 0;
  for (const event of events) {
    if (page.length > 0 && (page.length === maxEvents || bytes + event.data.length > maxBytes)) {
      yield page;
      page = [];
      bytes = 0;
    }
    page.push(event);
    bytes += event.data.length;
  }
  if (page.length > 0) {
    yield page;
  }
}

function toMessage(event: BusEvent): MessageInitShape<typeof EventSchema> {
  const { sequence, time, data, extensions, ...rest } = event;
  return {
    ...rest,
    sequence: BigInt(sequence),
    time: timestampFromDate(time),
    data: data as Uint8Array<ArrayBuffer>,
    extensions: { ...extensions },
  };
}

function fromMessage({ id, type, source, aggregate, sequence, tenant, time, data, extensions }: Event): BusEvent {
  const published = time === undefined ? new Date(0) : timestampDate(time);
  return { id, type, source, aggregate, sequence: Number(sequence), tenant, time: published, data, extensions };
}
