import { expect, test } from "@jest/globals";
import type { FunctionHost } from "../../../services/host/function-host.ts";
import type { BusEvent, EventBus } from "../../../services/runtime/bus/event-bus.ts";
import { encodeEvent } from "../../../services/runtime/bus/kafka/cloud-event.ts";
import { createLogger } from "../../../services/runtime/telemetry/log.ts";
import { taskOf } from "./message-events.ts";
import { runTask } from "./run-task.ts";

const eventOf = (id: string, aggregate: string, sequence: number): BusEvent => ({
  ...{ id, type: "docket.order.v1.OrderPlaced", source: "docket/order", aggregate, sequence, tenant: "t" },
  time: new Date(0),
  data: Uint8Array.of(1, 2),
  extensions: { traceparent: "00-a" },
});

const structured = ({ aggregate, time, data, extensions, ...rest }: BusEvent) =>
  JSON.stringify({
    specversion: "1.0",
    ...rest,
    subject: aggregate,
    time: time.toISOString(),
    data_base64: Buffer.from(data).toString("base64"),
    ...extensions,
  });

const queue = (bodies: readonly string[], arn = "arn:aws:sqs:eu-west-1:1:docket") => ({
  Records: bodies.map((body, nth) => ({
    ...{ messageId: `m${nth}`, eventSource: "aws:sqs", eventSourceARN: arn, body, attributes: {} },
  })),
});

const topic = (events: readonly (BusEvent | undefined)[]) => ({
  eventSource: "aws:kafka",
  records: {
    "docket-0": events.map((event, offset) => {
      const { headers, value } = event === undefined ? { headers: {}, value: Buffer.from("?") } : encodeEvent(event);
      return {
        ...{ topic: "docket", partition: 0, offset, value: value.toString("base64") },
        headers: Object.entries(headers).map(([name, text]) => ({ [name]: [...Buffer.from(text)] })),
      };
    }),
  },
});

function hostWith(fails: (event: BusEvent) => boolean) {
  const published: string[][] = [];
  const ran: (readonly string[] | undefined)[] = [];
  const bus = {
    async publish(events: readonly BusEvent[]) {
      if (events.some(fails)) throw new Error("refused");
      published.push(events.map(({ id }) => id));
    },
  } as EventBus;
  const work = {
    names: new Set(["outbox", "sagas"]),
    run: async (_: AbortSignal, names?: Iterable<string>) => void ran.push(names && [...names]),
  };
  const host = { bus, work, log: createLogger({ level: "silent", name: "test" }) } as unknown as FunctionHost;
  return {
    published,
    ran,
    run: (event: unknown) => runTask(host, taskOf(event) ?? fail(), new AbortController().signal),
  };
}

test("messages of a queue reach consumers whole, by aggregate, and only those that failed come again", async () => {
  const it = hostWith(({ aggregate }) => aggregate === "orders/b");
  const events = [eventOf("1", "orders/a", 1), eventOf("2", "orders/b", 1), eventOf("3", "orders/a", 2)];
  const result = await it.run(queue([...events.map(structured), "not JSON", '{"jobs":["sagas"]}']));
  expect(it.published).toEqual([["1", "3"]]);
  expect(it.ran).toEqual([["sagas"]]);
  expect(result).toEqual({ batchItemFailures: [{ itemIdentifier: "m1" }, { itemIdentifier: "m3" }] });
  expect(taskOf(queue([structured(eventOf("1", "orders/a", 1))]))).toMatchObject({
    messages: [{ id: "m0", content: { event: eventOf("1", "orders/a", 1) } }],
  });
});

test("records of a topic are those of the Kafka bus, and fail as a whole", async () => {
  const it = hostWith(({ id }) => id === "3");
  expect(await it.run(topic([eventOf("1", "orders/a", 1), undefined, eventOf("2", "orders/a", 2)]))).toBeNull();
  expect(it.published).toEqual([["1"], ["2"]]);
  expect(taskOf(topic([eventOf("1", "orders/a", 1)]))).toMatchObject({
    messages: [{ content: { event: eventOf("1", "orders/a", 1) } }],
  });
  await expect(it.run(topic([eventOf("3", "orders/a", 1)]))).rejects.toThrow("1 of 1 records were not handled");
});

test("a schedule runs the jobs it names, or all, and is told of unknown names", async () => {
  const it = hostWith(() => false);
  await it.run({ source: "aws.events", "detail-type": "Scheduled Event", detail: {} });
  await it.run({ jobs: ["outbox", "sagas"] });
  expect(it.ran).toEqual([undefined, ["outbox", "sagas"]]);
  await expect(it.run({ jobs: ["sweep"] })).rejects.toThrow(
    'Unknown job "sweep". The jobs of this function are outbox, sagas.',
  );
});

test("a bus that does not come to an end is given up when the time is over", async () => {
  const bus = { publish: () => new Promise<void>(() => {}) } as unknown as EventBus;
  const host = { bus, log: createLogger({ level: "silent", name: "test" }) } as unknown as FunctionHost;
  const task = taskOf(queue([structured(eventOf("1", "orders/a", 1))])) ?? fail();
  expect(await runTask(host, task, AbortSignal.timeout(20))).toEqual({ batchItemFailures: [{ itemIdentifier: "m0" }] });
});

test.each([null, {}, { Records: [{ eventSource: "aws:s3" }] }])("%j is no task", (event) => {
  expect(taskOf(event)).toBeUndefined();
});

function fail(): never {
  throw new Error("no task");
}
