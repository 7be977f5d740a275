import { describe, expect, test } from "@jest/globals";
import { until } from "../testing/until.ts";
import type { BusEvent, EventBus } from "./event-bus.ts";

let made = 0;

/** Creates an event for tests, with defaults for omitted attributes. */
export function busEvent(attributes: Partial<BusEvent> = {}): BusEvent {
  made += 1;
  return {
    id: `event-${made}`,
    type: "docket.test.v1.Happened",
    source: "docket/test",
    aggregate: `things/${made}`,
    sequence: 1,
    tenant: "tenant-a",
    time: new Date(Date.UTC(2026, 0, 1, 0, 0, made % 60)),
    data: new TextEncoder().encode(`data of ${made}`),
    extensions: {},
    ...attributes,
  };
}

const line = (aggregate: string, length: number, type = "docket.test.v1.Happened") =>
  Array.from({ length }, (_, at) => busEvent({ aggregate, sequence: at + 1, type }));

/** Publishes like an outbox relay: retries until the bus accepts the events. */
async function publishUntilTaken(bus: EventBus, events: readonly BusEvent[]): Promise<void> {
  for (;;) {
    try {
      return await bus.publish(events);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** The contract tests of {@link EventBus}. `open` creates an empty bus. */
export function describeEventBus(name: string, open: () => Promise<EventBus>): void {
  describe(`event bus: ${name}`, () => {
    test("delivers an event with all its attributes to every consumer of its type and to no other", async () => {
      await using bus = await open();
      const seen: Record<string, BusEvent[]> = { one: [], two: [], other: [] };
      await using _one = bus.subscribe(
        "one",
        ["docket.test.v1.Happened"],
        async (event) => void seen["one"]?.push(event),
      );
      await using _two = bus.subscribe(
        "two",
        ["docket.test.v1.Happened", "docket.test.v1.Else"],
        async (event) => void seen["two"]?.push(event),
      );
      await using _other = bus.subscribe(
        "other",
        ["docket.test.v1.Else"],
        async (event) => void seen["other"]?.push(event),
      );
      const event = busEvent({
        extensions: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
      });
      await bus.publish([event]);
      await until(() => seen["one"]?.length === 1 && seen["two"]?.length === 1);
      expect(seen["one"]?.[0]).toEqual(event);
      expect(seen["other"]).toEqual([]);
    });

    test("delivers the events of an aggregate in order, each after the handler resolved for the one before", async () => {
      await using bus = await open();
      const seen: number[] = [];
      let active = 0;
      await using _subscription = bus.subscribe("slow-first", ["docket.test.v1.Happened"], async (event) => {
        active += 1;
        expect(active).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, event.sequence === 1 ? 30 : 1));
        seen.push(event.sequence);
        active -= 1;
      });
      const events = line("things/in-order", 5);
      await Promise.all([bus.publish(events.slice(0, 3)), bus.publish(events.slice(3))]);
      await until(() => seen.length === 5);
      expect(seen).toEqual([1, 2, 3, 4, 5]);
    });

    test("gives a handler that rejects the same event again, before the next of its aggregate", async () => {
      await using bus = await open();
      const seen: string[] = [];
      let failures = 3;
      await using _subscription = bus.subscribe("stumbles", ["docket.test.v1.Happened"], async (event) => {
        seen.push(event.id);
        if (event.sequence === 2 && failures-- > 0) {
          throw new Error("not now");
        }
      });
      const [first, second, third] = line("things/stumbling", 3);
      await bus.publish([first, second, third].filter((event) => event !== undefined));
      await until(() => seen.at(-1) === third?.id);
      expect(seen).toEqual([first, second, second, second, second, third].map((event) => event?.id));
    });

    test("an aggregate whose event fails holds up no other aggregate and no other consumer", async () => {
      await using bus = await open();
      const seen: string[] = [];
      const elsewhere: string[] = [];
      let broken = true;
      await using _one = bus.subscribe("partly-broken", ["docket.test.v1.Happened"], async (event) => {
        if (broken && event.aggregate === "things/broken") {
          throw new Error("broken");
        }
        seen.push(event.aggregate);
      });
      await using _two = bus.subscribe(
        "whole",
        ["docket.test.v1.Happened"],
        async (event) => void elsewhere.push(event.aggregate),
      );
      const stuck = bus.publish(line("things/broken", 1));
      await bus.publish(line("things/sound", 1));
      await until(() => seen.includes("things/sound") && elsewhere.includes("things/broken"));
      expect(seen).toEqual(["things/sound"]);
      broken = false;
      await until(() => seen.includes("things/broken"));
      await stuck;
    });

    test("the same aggregate name of two tenants is two aggregates", async () => {
      await using bus = await open();
      const seen: string[] = [];
      await using _subscription = bus.subscribe("tenants", ["docket.test.v1.Happened"], async (event) => {
        if (event.tenant === "tenant-b" && !seen.includes("tenant-a")) {
          throw new Error("the other tenant comes first here");
        }
        seen.push(event.tenant);
      });
      const published = ["tenant-b", "tenant-a"].map((tenant) =>
        bus.publish([busEvent({ aggregate: "things/same", tenant })]),
      );
      await until(() => seen.length === 2);
      await Promise.all(published);
      expect(seen).toEqual(["tenant-a", "tenant-b"]);
    });

    test("subscriptions of one consumer share the events, each in order and none twice", async () => {
      await using bus = await open();
      const seen: string[] = [];
      const take = async (event: BusEvent) => void seen.push(`${event.aggregate} ${event.sequence}`);
      await using _one = bus.subscribe("shared", ["docket.test.v1.Happened"], take);
      await using _two = bus.subscribe("shared", ["docket.test.v1.Happened"], take);
      const aggregates = ["things/a", "things/b", "things/c", "things/d"];
      await Promise.all(aggregates.map((aggregate) => bus.publish(line(aggregate, 3))));
      await until(() => seen.length >= 12);
      for (const aggregate of aggregates) {
        expect(seen.filter((entry) => entry.startsWith(aggregate))).toEqual(
          [1, 2, 3].map((sequence) => `${aggregate} ${sequence}`),
        );
      }
    });

    test("ending a subscription waits for the handler that runs and delivers nothing more", async () => {
      await using bus = await open();
      const seen: number[] = [];
      let begun = false;
      const subscription = bus.subscribe("leaving", ["docket.test.v1.Happened"], async (event) => {
        begun = true;
        await new Promise((resolve) => setTimeout(resolve, 30));
        seen.push(event.sequence);
      });
      const published = bus.publish(line("things/leaving", 2)).catch(() => "not taken");
      await until(() => begun);
      await subscription[Symbol.asyncDispose]();
      expect(seen).toEqual([1]);
      await published;
      expect(seen).toEqual([1]);
    });

    test("what a consumer had not finished when it left reaches it when it comes back", async () => {
      await using bus = await open();
      const seen: string[] = [];
      let asked = 0;
      const failing = bus.subscribe("returning", ["docket.test.v1.Happened"], async () => {
        asked += 1;
        throw new Error("not yet");
      });
      const event = busEvent();
      const published = publishUntilTaken(bus, [event]);
      await until(() => asked > 0);
      await failing[Symbol.asyncDispose]();
      await using _again = bus.subscribe(
        "returning",
        ["docket.test.v1.Happened"],
        async ({ id }) => void seen.push(id),
      );
      await until(() => seen.length > 0);
      await published;
      expect(new Set(seen)).toEqual(new Set([event.id]));
    });

    test("a closed bus takes nothing", async () => {
      const bus = await open();
      await bus[Symbol.asyncDispose]();
      await expect(bus.publish([busEvent()])).rejects.toThrow();
    });
  });
}
