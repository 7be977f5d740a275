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
  /** Transports to the other processes that may have consumers. */
  readonly peers: readonly Transport[];
  /** This process's name as a caller. */
  readonly subject: string;
  /** Timeout of one delivery to a peer. Default 30 s. */
  readonly timeoutMs?: number;
}

/** Most events and bytes of data in one delivery. */
const maxEvents = 500;
const maxBytes = 1024 * 1024;

/**
 * Event bus over several processes without a broker. Events go to the consumers of this process and, by RPC, to those
 * of every peer. Like the in-process bus it stores nothing: `publish` resolves once every consumer has handled every
 * event, so durability comes from the outbox row, and a peer that is down delays the events until it returns. A peer is
 * one consumer process, or several behind one address with a shared database: the inbox removes duplicates.
 */
export function createRemoteBus({ local, peers, subject, timeoutMs = 30_000 }: RemoteBusOptions): EventBus {
  const clients = peers.map((peer) => createServiceClient(EventBusService, peer, { subject, timeoutMs }).for(""));
  return {
    async publish(events) {
      const toPeers = clients.map(async (client) => {
        // Sequential, so that events of one aggregate stay in order.
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

/** Server side: publishes events from peers on the bus of this process only. */
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
