import { expect, test } from "@jest/globals";
import { createLogger } from "../telemetry/log.ts";
import type { BusEvent } from "./event-bus.ts";
import { busEvent, describeEventBus } from "./event-bus-suite.ts";
import { createInProcessBus } from "./in-process.ts";

const log = createLogger({ level: "silent", name: "test" });
const redelivery = { initialMs: 1, maxMs: 5 };

describeEventBus("in process", async () => createInProcessBus({ log, redelivery }));

test("publish resolves only after every handler has resolved, as nothing else keeps the event", async () => {
  await using bus = createInProcessBus({ log, redelivery });
  let finished = 0;
  await using _one = bus.subscribe("one", ["docket.test.v1.Happened"], async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    finished += 1;
  });
  await using _two = bus.subscribe("two", ["docket.test.v1.Happened"], async () => {
    finished += 1;
  });
  await bus.publish([busEvent()]);
  expect(finished).toBe(2);
});

test("publish rejects at once when the only subscription of a failing consumer ends, however long the pause", async () => {
  await using bus = createInProcessBus({ log, redelivery: { initialMs: 60_000, maxMs: 60_000 }, random: () => 1 });
  const asked = Promise.withResolvers<void>();
  const subscription = bus.subscribe("failing", ["docket.test.v1.Happened"], async () => {
    asked.resolve();
    throw new Error("never");
  });
  const published = expect(bus.publish([busEvent()])).rejects.toThrow();
  await asked.promise;
  await subscription[Symbol.asyncDispose]();
  await published;
});

test("closing the bus waits for the handlers that run", async () => {
  const bus = createInProcessBus({ log, redelivery });
  let finished = false;
  bus.subscribe("one", ["docket.test.v1.Happened"], async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    finished = true;
  });
  const published = bus.publish([busEvent()]);
  await new Promise((resolve) => setTimeout(resolve, 1));
  await bus[Symbol.asyncDispose]();
  expect(finished).toBe(true);
  await published;
});

test("the same aggregate name of two tenants is two aggregates, which two subscriptions handle at once", async () => {
  await using bus = createInProcessBus({ log, redelivery });
  const seen: string[] = [];
  const { promise: other, resolve: otherSeen } = Promise.withResolvers<void>();
  const take = async ([event]: readonly BusEvent[]) => {
    if (event?.tenant === "tenant-b") {
      otherSeen();
    }
    await other;
    seen.push(event?.tenant ?? "");
  };
  bus.subscribe("tenants", ["docket.test.v1.Happened"], take);
  bus.subscribe("tenants", ["docket.test.v1.Happened"], take);
  const first = bus.publish([busEvent({ aggregate: "things/same", tenant: "tenant-a" })]);
  await Promise.resolve();
  await Promise.resolve();
  await Promise.all([first, bus.publish([busEvent({ aggregate: "things/same", tenant: "tenant-b" })])]);
  expect(seen.sort()).toEqual(["tenant-a", "tenant-b"]);
});

test("a batch that a leaving subscription had not handled goes to another one of the consumer, in its order", async () => {
  await using bus = createInProcessBus({ log, redelivery: { initialMs: 60_000, maxMs: 60_000 }, random: () => 1 });
  const failed = Promise.withResolvers<void>();
  const leaving = bus.subscribe("shared", ["docket.test.v1.Happened"], async () => {
    failed.resolve();
    throw new Error("never");
  });
  const published = [bus.publish([1, 2].map((sequence) => busEvent({ aggregate: "things/a", sequence })))];
  await failed.promise;
  const seen: number[] = [];
  bus.subscribe(
    "shared",
    ["docket.test.v1.Happened"],
    async (events) => void seen.push(...events.map(({ sequence }) => sequence)),
  );
  published.push(bus.publish([busEvent({ aggregate: "things/a", sequence: 3 })]));
  await leaving[Symbol.asyncDispose]();
  await Promise.all(published);
  expect(seen).toEqual([1, 2, 3]);
});
