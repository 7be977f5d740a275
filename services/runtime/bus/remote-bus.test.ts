import { expect, test } from "@jest/globals";
import { createLocalTransport } from "../call/local-transport.ts";
import { createLogger } from "../telemetry/log.ts";
import type { BusEvent, EventBus } from "./event-bus.ts";
import { busEvent, describeEventBus } from "./event-bus-suite.ts";
import { createInProcessBus } from "./in-process.ts";
import { createRemoteBus, eventBusRoutes } from "./remote-bus.ts";

const log = createLogger({ level: "silent", name: "test" });

/** The bus of a process with consumers, and how another process reaches it. */
function openPeer() {
  const local = createInProcessBus({ log, redelivery: { initialMs: 1, maxMs: 5 } });
  const wire = createLocalTransport({ interceptors: [] });
  wire.mount([eventBusRoutes(local)]);
  return { local, transport: wire.transport };
}

/** A bus that publishes in one process what its consumers, in another, get. */
async function openBetweenTwo(): Promise<EventBus> {
  const here = createInProcessBus({ log });
  const { local: there, transport } = openPeer();
  const bus = createRemoteBus({ local: here, peers: [transport], subject: "test" });
  return {
    publish: (events) => bus.publish(events),
    subscribe: (...subscription) => there.subscribe(...subscription),
    async [Symbol.asyncDispose]() {
      await bus[Symbol.asyncDispose]();
      await there[Symbol.asyncDispose]();
    },
  };
}

describeEventBus("between two processes", openBetweenTwo);

test("gives every attribute of an event to the consumers of this process and of each peer", async () => {
  const peers = [openPeer(), openPeer()];
  const local = createInProcessBus({ log });
  await using bus = createRemoteBus({ local, peers: peers.map(({ transport }) => transport), subject: "test" });
  const got: BusEvent[] = [];
  for (const consumer of [bus, ...peers.map((peer) => peer.local)]) {
    consumer.subscribe("consumer", ["docket.test.v1.Happened"], async (events) => void got.push(...events));
  }
  const event = busEvent({ sequence: 7, extensions: { traceparent: "00-1-2-01" } });
  await bus.publish([event]);
  expect(got).toEqual([event, event, event]);
});

test("delivers many and large events in pages that a request holds, in order", async () => {
  const peer = openPeer();
  await using bus = createRemoteBus({
    local: createInProcessBus({ log }),
    peers: [peer.transport],
    subject: "test",
  });
  const sequences: number[] = [];
  peer.local.subscribe(
    "consumer",
    ["docket.test.v1.Happened"],
    async (events) => void sequences.push(...events.map(({ sequence }) => sequence)),
  );
  const data = new Uint8Array(300_000);
  const small = Array.from({ length: 1_200 }, (_, i) => busEvent({ aggregate: "things/a", sequence: i + 1 }));
  const large = Array.from({ length: 10 }, (_, i) => busEvent({ aggregate: "things/a", sequence: 1_201 + i, data }));
  await bus.publish([...small, ...large]);
  expect(sequences).toEqual([...small, ...large].map(({ sequence }) => sequence));
});

test("rejects while a peer cannot be reached, and the events can be published again", async () => {
  const peer = openPeer();
  let away = true;
  const { transport } = peer;
  await using bus = createRemoteBus({
    local: createInProcessBus({ log }),
    peers: [
      {
        ...transport,
        unary: (...call) => (away ? Promise.reject(new Error("away")) : transport.unary(...call)),
      },
    ],
    subject: "test",
  });
  const got: string[] = [];
  peer.local.subscribe("consumer", ["docket.test.v1.Happened"], async ([event]) => void got.push(event?.id ?? ""));
  const event = busEvent();
  await expect(bus.publish([event])).rejects.toThrow("away");
  away = false;
  await bus.publish([event]);
  expect(got).toEqual([event.id]);
});
