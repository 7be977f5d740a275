import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Admin } from "@platformatic/kafka";
import { createLogger } from "../../telemetry/log.ts";
import { type KafkaServer, startKafka, whyNoKafka } from "../../testing/kafka.ts";
import { until } from "../../testing/until.ts";
import type { BusEvent, EventBus } from "../event-bus.ts";
import { busEvent } from "../event-bus-suite.ts";
import { clientOptions, type KafkaOptions } from "./connection.ts";
import { createKafkaBus, type KafkaBus } from "./kafka-bus.ts";
import { openEffects } from "./testing/effects.ts";
import { createTopics } from "./topics.ts";

const log = createLogger({ level: "silent", name: "test" });
const reason = whyNoKafka();
const packages = ["test", "google"];
const happened = "docket.test.v1.Happened";
const aggregates = Array.from({ length: 12 }, (_, nth) => `things/${nth}`);

/** An event with a message of the consumer of `openEffects`. Its topic is that of the package `google`. */
function said(value: string, attributes: Partial<BusEvent> = {}): BusEvent {
  const data = toBinary(StringValueSchema, create(StringValueSchema, { value }));
  return busEvent({ ...attributes, type: StringValueSchema.typeName, data });
}

/** Publishes like an outbox relay: retries until the bus accepts the events. */
async function publishUntilTaken(bus: EventBus, events: readonly BusEvent[]): Promise<void> {
  for (;;) {
    try {
      return await bus.publish(events);
    } catch {
      await sleep(50);
    }
  }
}

/** What consumers saw, and what was wrong with it. */
function createRecord() {
  const seen = new Map<string, number[]>();
  const active = new Set<string>();
  const overlaps: string[] = [];
  return {
    handler: async (events: readonly BusEvent[]) => {
      const own = new Set(events.map(({ aggregate }) => aggregate));
      for (const aggregate of own) {
        if (active.has(aggregate)) {
          overlaps.push(aggregate);
        }
        active.add(aggregate);
      }
      await sleep(3);
      for (const { aggregate, sequence } of events) {
        seen.set(aggregate, [...(seen.get(aggregate) ?? []), sequence]);
      }
      for (const aggregate of own) {
        active.delete(aggregate);
      }
    },
    overlaps,
    count: () => [...seen.values()].flat().length,
    distinct: () => [...seen.values()].reduce((sum, sequences) => sum + new Set(sequences).size, 0),
    /** The sequences of each aggregate, each where it was seen first. */
    firsts: () => aggregates.map((aggregate) => [...new Set(seen.get(aggregate))]),
  };
}

(reason === undefined ? describe : describe.skip)(
  `a bus on Kafka under faults${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  () => {
    let server: KafkaServer;
    let made = 0;
    beforeAll(async () => {
      server = await startKafka();
    }, 120_000);
    afterAll(async () => {
      await server?.[Symbol.asyncDispose]();
    });

    const place = async (partitions: number): Promise<KafkaOptions> => {
      made += 1;
      const kafka = { brokers: [server.address], clientId: "test", prefix: `f${made}.`, sessionTimeoutMs: 2_000 };
      const plan = { packages, partitions, replication: 1, retentionMs: 86_400_000 };
      await createTopics(kafka, plan);
      return kafka;
    };
    const busOn = (kafka: KafkaOptions): KafkaBus =>
      createKafkaBus({ kafka, packages, log, redelivery: { initialMs: 1, maxMs: 5 } });
    const temporary = async () => {
      const folder = await mkdtemp(join(tmpdir(), "docket-kafka-test-"));
      const url = `sqlite:${join(folder, "test.sqlite")}`;
      return { url, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
    };

    test("consumers that join and leave under load get every event once, in order, none at the same time", async () => {
      const kafka = await place(6);
      await using bus = busOn(kafka);
      const record = createRecord();
      const members = [bus.subscribe("moving", [happened], record.handler)];
      const rounds = 150;
      const publishing = (async () => {
        for (let sequence = 1; sequence <= rounds; sequence++) {
          await bus.publish(aggregates.map((aggregate) => busEvent({ aggregate, sequence })));
          await sleep(20);
        }
      })();
      const others = [busOn(kafka), busOn(kafka)];
      await until(() => record.count() > 0);
      for (let round = 0; round < 3; round++) {
        const joined = others.map((other) => other.subscribe("moving", [happened], record.handler));
        await sleep(400);
        await members.shift()?.[Symbol.asyncDispose]();
        await sleep(200);
        members.push(...joined);
      }
      await publishing;
      await until(() => record.count() >= rounds * aggregates.length);
      await Promise.all(others.map((other) => other[Symbol.asyncDispose]()));
      const all = Array.from({ length: rounds }, (_, at) => at + 1);
      expect(record.firsts()).toEqual(aggregates.map(() => all));
      expect(record.overlaps).toEqual([]);
      expect(record.count()).toBe(rounds * aggregates.length);
    });

    test("a broker that is killed and started again loses and swaps nothing", async () => {
      const kafka = await place(3);
      await using bus = busOn(kafka);
      const record = createRecord();
      await using _subscription = bus.subscribe("steady", [happened], record.handler);
      let published = 0;
      let stop = false;
      const publishing = (async () => {
        for (let sequence = 1; !stop; sequence++) {
          await publishUntilTaken(
            bus,
            aggregates.map((aggregate) => busEvent({ aggregate, sequence })),
          );
          published = sequence;
          await sleep(5);
        }
      })();
      await until(() => record.count() > 50);
      const { signal } = new AbortController();
      expect(await bus.check.run(signal)).toBeUndefined();
      await server.kill();
      await expect(bus.check.run(signal)).rejects.toThrow();
      await server.restart();
      const before = published;
      await until(() => published > before + 20);
      stop = true;
      await publishing;
      await until(() => record.distinct() === published * aggregates.length);
      const all = Array.from({ length: published }, (_, at) => at + 1);
      expect(record.firsts()).toEqual(aggregates.map(() => all));
    });

    test("a consumer killed between the commit of its inbox and that of its offsets causes no second effect", async () => {
      const kafka = await place(3);
      await using bus = busOn(kafka);
      await using database = await temporary();
      const values = Array.from({ length: 30 }, (_, nth) => `value ${nth}`);
      await bus.publish(values.map((value, nth) => said(value, { aggregate: `things/${nth % 5}` })));
      const program = join(import.meta.dirname, "testing/killed-consumer.ts");
      const args = [program, server.address, kafka.prefix, database.url];
      const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], {
        env: {},
        stdio: "inherit",
      });
      const [, signal] = await once(child, "exit");
      expect(signal).toBe("SIGKILL");

      await using effects = await openEffects(database.url, bus, log);
      expect((await effects.names()).length).toBeGreaterThan(0);
      await bus.publish([said("last")]);
      await until(async () => (await effects.names()).length > values.length);
      expect([...(await effects.names())].sort()).toEqual([...values, "last"].sort());
    });

    test("a poison event parks its aggregate, and the others of its partition are handled", async () => {
      const kafka = await place(1);
      await using bus = busOn(kafka);
      await using database = await temporary();
      await using effects = await openEffects(database.url, bus, log);
      await bus.publish([
        said("a1", { aggregate: "things/a", sequence: 1 }),
        said("poison", { aggregate: "things/a", sequence: 2 }),
        said("a3", { aggregate: "things/a", sequence: 3 }),
        said("b1", { aggregate: "things/b", sequence: 1 }),
      ]);
      await until(async () => (await effects.names()).includes("b1"));
      await bus.publish([said("b2", { aggregate: "things/b", sequence: 2 })]);
      await until(async () => (await effects.names()).includes("b2"));
      // Behind the poison message until that is a dead letter, which takes eight attempts.
      const parked = await effects.db.kysely.selectFrom("inbox_parked").select("aggregate").execute();
      expect(parked).toEqual([{ aggregate: "things/a" }]);
      await until(async () => (await effects.names()).includes("a3"));
      expect(await effects.names()).toEqual(["a1", "b1", "b2", "a3"]);
    });

    test("a consumer whose events were deleted before it read them stops there, and the check says so", async () => {
      const kafka = await place(1);
      await using bus = busOn(kafka);
      const seen: number[] = [];
      const handler = async (events: readonly BusEvent[]) => void seen.push(...events.map(({ sequence }) => sequence));
      const event = (sequence: number) => busEvent({ aggregate: "things/late", sequence });
      const first = bus.subscribe("late", [happened], handler);
      await bus.publish([event(1)]);
      await until(() => seen.length === 1);
      await first[Symbol.asyncDispose]();

      await bus.publish([event(2), event(3), event(4)]);
      const admin = new Admin(clientOptions(kafka));
      const topic = `${kafka.prefix}test`;
      await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: 3n }] }] });
      await admin.close();
      await using _again = bus.subscribe("late", [happened], handler);
      const { signal } = new AbortController();
      const lost = `late has lost events, which were deleted before it read them: partition 0 of ${topic} from offset 1 on`;
      await until(async () => (await bus.check.run(signal))?.error === lost);
      await sleep(500);
      expect(seen).toEqual([1]);
    });
  },
);
