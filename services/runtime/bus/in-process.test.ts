import { expect, test } from "@jest/globals";
import { createLogger } from "../telemetry/log.ts";
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
