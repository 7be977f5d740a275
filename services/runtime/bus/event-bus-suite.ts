import { describe, expect, test } from "@jest/globals";
import { until } from "../testing/until.ts";
import { type BusEvent, batchLimits, type EventBus } from "./event-bus.ts";

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

const happened = "docket.test.v1.Happened";

const line = (aggregate: string, length: number, first = 1) =>
  Array.from({ length }, (_, at) => busEvent({ aggregate, sequence: first + at }));

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Publishes like an outbox relay: retries until the bus accepts the events. */
async function publishUntilTaken(bus: EventBus, events: readonly BusEvent[]): Promise<void> {
  for (;;) {
    try {
      return await bus.publish(events);
    } catch {
      await pause(10);
    }
  }
}

/** The contract tests of {@link EventBus}. `open` creates an empty bus. */
export function describeEventBus(name: string, open: () => Promise<EventBus>): void {
  describe(`event bus: ${name}`, () => {
    test("delivers an event with all its attributes to every consumer of its type and to no other", async () => {
      await using bus = await open();
      const seen: Record<string, BusEvent[]> = { one: [], two: [], other: [] };
      const record = (consumer: string) => async (events: readonly BusEvent[]) => void seen[consumer]?.push(...events);
      await using _one = bus.subscribe("one", [happened], record("one"));
      await using _two = bus.subscribe("two", [happened, "docket.test.v1.Else"], record("two"));
      await using _other = bus.subscribe("other", ["docket.test.v1.Else"], record("other"));
      const event = busEvent({
        extensions: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
      });
      await bus.publish([event]);
      await until(() => seen["one"]?.length === 1 && seen["two"]?.length === 1);
      expect(seen["one"]?.[0]).toEqual(event);
      expect(seen["other"]).toEqual([]);
    });

    test("delivers the events of an aggregate in order, within a batch and from batch to batch", async () => {
      await using bus = await open();
      const batches: number[][] = [];
      let active = 0;
      await using _subscription = bus.subscribe("slow-first", [happened], async (events) => {
        active += 1;
        expect(active).toBe(1);
        await pause(batches.length === 0 ? 30 : 1);
        batches.push(events.filter(({ aggregate }) => aggregate === "things/in-order").map((it) => it.sequence));
        active -= 1;
      });
      const published = [bus.publish([...line("things/in-order", 3), ...line("things/other", 3)])];
      await pause(5);
      for (let first = 4; first <= 10; first++) {
        published.push(bus.publish(line("things/in-order", 1, first)));
      }
      await until(() => batches.flat().length === 10);
      await Promise.all(published);
      expect(batches.flat()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    });

    test("delivers what was published while a handler was busy in one batch", async () => {
      await using bus = await open();
      const batches: number[] = [];
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      await using _subscription = bus.subscribe("gathering", [happened], async (events) => {
        batches.push(events.length);
        await released;
      });
      const published = [bus.publish([busEvent()])];
      await until(() => batches.length === 1);
      for (let nth = 0; nth < 20; nth++) {
        published.push(bus.publish([busEvent()]));
      }
      await pause(50);
      release();
      await Promise.all(published);
      await until(() => batches.reduce((sum, length) => sum + length, 0) === 21);
      expect(Math.max(...batches)).toBeGreaterThan(10);
    });

    test("a batch is bounded in events and in bytes, and an event that is larger than that comes alone", async () => {
      await using bus = await open();
      const batches: (readonly BusEvent[])[] = [];
      await using _subscription = bus.subscribe("bounded", [happened], async (events) => void batches.push(events));
      const { maxEvents, maxBytes } = batchLimits;
      const many = Array.from({ length: 3 * maxEvents }, () => busEvent());
      const data = new Uint8Array(Math.floor(maxBytes / 3));
      const large = Array.from({ length: 10 }, (_, at) =>
        busEvent({ aggregate: "things/large", sequence: at + 1, data }),
      );
      const huge = busEvent({ aggregate: "things/huge", data: new Uint8Array(maxBytes + 1) });
      const all = [...many, ...large, huge, ...line("things/last", 2)];
      await bus.publish(all);
      await until(() => batches.flat().length >= all.length);
      expect(new Set(batches.flat().map(({ id }) => id))).toEqual(new Set(all.map(({ id }) => id)));
      for (const batch of batches) {
        const bytes = batch.reduce((sum, event) => sum + event.data.length, 0);
        expect(batch.length).toBeLessThanOrEqual(maxEvents);
        expect(batch.length === 1 || bytes <= maxBytes).toBe(true);
      }
      const ofLarge = batches.flat().filter(({ aggregate }) => aggregate === "things/large");
      expect(ofLarge.map(({ sequence }) => sequence)).toEqual(large.map(({ sequence }) => sequence));
    });

    test("redelivers a rejected batch whole, before the next events of its aggregates", async () => {
      await using bus = await open();
      const batches: string[][] = [];
      let failures = 3;
      await using _subscription = bus.subscribe("stumbles", [happened], async (events) => {
        batches.push(events.map(({ id }) => id));
        await pause(5);
        if (failures-- > 0) {
          throw new Error("not now");
        }
      });
      const [first, second] = [line("things/stumbling", 3), line("things/stumbling", 3, 4)];
      const published = [bus.publish([...first, ...line("things/beside", 2)])];
      await until(() => batches.length > 0);
      published.push(bus.publish(second));
      await Promise.all(published);
      await until(() => batches.flat().includes(second[2]?.id ?? ""));
      expect(batches[1]).toEqual(batches[0]);
      expect(batches[2]).toEqual(batches[0]);
      expect(batches[3]).toEqual(batches[0]);
      const handled = batches.slice(3).flat();
      const own = new Set([...first, ...second].map(({ id }) => id));
      expect(handled.filter((id) => own.has(id))).toEqual([...own]);
    });

    test("a consumer that fails and one that takes long hold up no other consumer", async () => {
      await using bus = await open();
      const seen: Record<string, number> = { failing: 0, slow: 0, sound: 0 };
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      let broken = true;
      await using _failing = bus.subscribe("failing", [happened], async (events) => {
        if (broken) {
          throw new Error("broken");
        }
        seen["failing"] = (seen["failing"] ?? 0) + events.length;
      });
      await using _slow = bus.subscribe("slow", [happened], async (events) => {
        await released;
        seen["slow"] = (seen["slow"] ?? 0) + events.length;
      });
      await using _sound = bus.subscribe("sound", [happened], async (events) => {
        seen["sound"] = (seen["sound"] ?? 0) + events.length;
      });
      const published = [1, 2, 3].map((first) => bus.publish(line("things/one", 1, first)));
      await until(() => seen["sound"] === 3);
      expect(seen).toEqual({ failing: 0, slow: 0, sound: 3 });
      broken = false;
      release();
      await until(() => seen["failing"] === 3 && seen["slow"] === 3);
      await Promise.all(published);
    });

    test("subscriptions of one consumer share the events, each in order and none twice", async () => {
      await using bus = await open();
      const seen: string[] = [];
      const active = new Set<string>();
      const take = async (events: readonly BusEvent[]) => {
        const aggregates = new Set(events.map(({ aggregate }) => aggregate));
        for (const aggregate of aggregates) {
          expect(active.has(aggregate)).toBe(false);
          active.add(aggregate);
        }
        await pause(2);
        seen.push(...events.map((event) => `${event.aggregate} ${event.sequence}`));
        for (const aggregate of aggregates) {
          active.delete(aggregate);
        }
      };
      await using _one = bus.subscribe("shared", [happened], take);
      await using _two = bus.subscribe("shared", [happened], take);
      const aggregates = ["things/a", "things/b", "things/c", "things/d"];
      const published: Promise<void>[] = [];
      for (let sequence = 1; sequence <= 9; sequence++) {
        published.push(...aggregates.map((aggregate) => bus.publish(line(aggregate, 1, sequence))));
        await pause(1);
      }
      await until(() => seen.length >= 36);
      await Promise.all(published);
      for (const aggregate of aggregates) {
        expect(seen.filter((entry) => entry.startsWith(aggregate))).toEqual(
          [1, 2, 3, 4, 5, 6, 7, 8, 9].map((sequence) => `${aggregate} ${sequence}`),
        );
      }
    });

    test("ending a subscription waits for the handler that runs and delivers nothing more", async () => {
      await using bus = await open();
      const seen: number[] = [];
      let begun = false;
      const subscription = bus.subscribe("leaving", [happened], async (events) => {
        begun = true;
        await pause(30);
        seen.push(...events.map(({ sequence }) => sequence));
      });
      const published = [bus.publish(line("things/leaving", 1)).catch(() => "not taken")];
      await until(() => begun);
      published.push(bus.publish(line("things/leaving", 1, 2)).catch(() => "not taken"));
      await subscription[Symbol.asyncDispose]();
      expect(seen).toEqual([1]);
      await Promise.all(published);
      expect(seen).toEqual([1]);
    });

    test("what a consumer had not finished when it left reaches it when it comes back", async () => {
      await using bus = await open();
      const seen: string[] = [];
      let asked = 0;
      const failing = bus.subscribe("returning", [happened], async () => {
        asked += 1;
        throw new Error("not yet");
      });
      const event = busEvent();
      const published = publishUntilTaken(bus, [event]);
      await until(() => asked > 0);
      await failing[Symbol.asyncDispose]();
      await using _again = bus.subscribe(
        "returning",
        [happened],
        async (events) => void seen.push(...events.map(({ id }) => id)),
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
