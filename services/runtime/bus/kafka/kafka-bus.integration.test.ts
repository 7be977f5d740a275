import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Authority, createAuthority } from "../../../../gateway/test/support/certificates.ts";
import { createLogger } from "../../telemetry/log.ts";
import { type KafkaServer, startKafka, whyNoKafka } from "../../testing/kafka.ts";
import { until } from "../../testing/until.ts";
import { busEvent, describeEventBus } from "../event-bus-suite.ts";
import type { KafkaOptions } from "./connection.ts";
import { createKafkaBus } from "./kafka-bus.ts";
import { createTopics, maxEventBytes, topicProblems } from "./topics.ts";

const log = createLogger({ level: "silent", name: "test" });
const reason = whyNoKafka();

(reason === undefined ? describe : describe.skip)(`Kafka${reason === undefined ? "" : ` (skipped: ${reason})`}`, () => {
  let server: KafkaServer;
  let made = 0;
  let authority: Authority;
  beforeAll(async () => {
    authority = createAuthority();
    const issued = authority.issue("kafka", "DNS:localhost");
    const [cert, key] = await Promise.all([readFile(issued.cert, "utf8"), readFile(issued.key, "utf8")]);
    server = await startKafka({ secure: { cert, key, username: "docket", password: "open sesame" } });
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    authority?.[Symbol.dispose]();
  });

  /** Topics and groups of its own for each test. */
  const place = async (partitions = 3): Promise<KafkaOptions> => {
    made += 1;
    const kafka = { brokers: [server.address], clientId: "test", prefix: `t${made}.` };
    await createTopics(kafka, { packages: ["test"], partitions, replication: 1, retentionMs: 86_400_000 });
    return kafka;
  };

  describeEventBus("Kafka", async () =>
    createKafkaBus({ kafka: await place(), packages: ["test"], log, redelivery: { initialMs: 1, maxMs: 5 } }),
  );

  test("creates the topics that are missing, repairs the configuration of others, and reports what is wrong", async () => {
    const kafka = { ...(await place()), prefix: "topics." };
    const plan = { packages: ["one", "two"], partitions: 2, replication: 1, retentionMs: 86_400_000 };
    expect(await topicProblems(kafka, plan)).toEqual([
      "Topic topics.one does not exist.",
      "Topic topics.two does not exist.",
    ]);
    const outcome = (topic: string, created: boolean) => ({ topic, created, partitions: 2 });
    expect(await createTopics(kafka, { ...plan, packages: ["one"] })).toEqual([outcome("topics.one", true)]);
    const longer = { ...plan, retentionMs: 2 * 86_400_000 };
    expect(await topicProblems(kafka, longer)).toEqual([
      "Topic topics.two does not exist.",
      "Topic topics.one has retention.ms=86400000 in place of 172800000.",
    ]);
    expect(await createTopics(kafka, { ...longer, partitions: 9 })).toEqual([
      outcome("topics.one", false),
      { ...outcome("topics.two", true), partitions: 9 },
    ]);
    expect(await topicProblems(kafka, longer)).toEqual([]);
  });

  test("refuses an event that no topic can take, and sends the next one", async () => {
    const kafka = await place();
    await using bus = createKafkaBus({ kafka, packages: ["test"], log });
    const seen: string[] = [];
    await using _subscription = bus.subscribe("sizes", ["docket.test.v1.Happened"], async (events) => {
      seen.push(...events.map(({ id }) => id));
    });
    const [small, largest] = [busEvent(), busEvent({ data: new Uint8Array(maxEventBytes) })];
    await expect(bus.publish([busEvent({ data: new Uint8Array(maxEventBytes + 1) })])).rejects.toThrow(
      `has ${maxEventBytes + 1} bytes; at most ${maxEventBytes} can be sent`,
    );
    await Promise.all([bus.publish([largest]), bus.publish([small])]);
    await until(() => seen.length === 2);
    expect(new Set(seen)).toEqual(new Set([small.id, largest.id]));
  });

  test("sends what was published beside an event without a topic, and refuses consumers of such events", async () => {
    await using bus = createKafkaBus({ kafka: await place(), packages: ["test"], log });
    const seen: string[] = [];
    await using _subscription = bus.subscribe("beside", ["docket.test.v1.Happened"], async (events) => {
      seen.push(...events.map(({ id }) => id));
    });
    const [first, second, third] = [busEvent(), busEvent(), busEvent()];
    const outcomes = await Promise.allSettled([
      bus.publish([first]),
      bus.publish([second]),
      bus.publish([busEvent({ type: "docket.nowhere.v1.Happened" })]),
      bus.publish([third]),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"]);
    await until(() => seen.length >= 3);
    expect(new Set(seen)).toEqual(new Set([first.id, second.id, third.id]));
    expect(() => bus.subscribe("lost", ["docket.nowhere.v1.Happened"], async () => {})).toThrow(
      "events of type docket.nowhere.v1.Happened have no topic, so lost cannot consume them",
    );
  });

  test("connects by TLS with a user, and is refused with another password or another authority", async () => {
    const ca = await readFile(authority.ca, "utf8");
    const sasl = { mechanism: "PLAIN", username: "docket", password: "open sesame" } as const;
    const kafka = { ...(await place()), brokers: [server.secureAddress], tls: { ca }, sasl };
    await using bus = createKafkaBus({ kafka, packages: ["test"], log });
    const seen: string[] = [];
    await using _subscription = bus.subscribe("secure", ["docket.test.v1.Happened"], async (events) => {
      seen.push(...events.map(({ id }) => id));
    });
    const event = busEvent();
    await bus.publish([event]);
    await until(() => seen.length === 1);
    expect(seen).toEqual([event.id]);

    const plan = { packages: ["test"], partitions: 3, replication: 1, retentionMs: 86_400_000 };
    expect(await topicProblems(kafka, plan)).toEqual([]);
    await expect(topicProblems({ ...kafka, sasl: { ...sasl, password: "guess" } }, plan)).rejects.toThrow();
    await expect(topicProblems({ ...kafka, tls: {} }, plan)).rejects.toThrow();
  });
});
