import { findErrorBy, ProduceAcks, Producer, stringSerializer } from "@platformatic/kafka";
import type { BusEvent } from "../event-bus.ts";
import { encodeEvent } from "./cloud-event.ts";
import { clientOptions, type KafkaOptions } from "./connection.ts";
import { maxEventBytes, topicOf } from "./topics.ts";

/** Most data in one request, unless a single event has more. */
const maxRequestBytes = 1024 * 1024;

/** A call of `send` that waits. */
interface Waiting {
  readonly events: readonly BusEvent[];
  readonly settle: PromiseWithResolvers<void>;
}

/** Writes events to the topics of their types. */
export interface Sender extends AsyncDisposable {
  /** Resolves once every event is on all in-sync replicas. Calls are written in their order. */
  send(events: readonly BusEvent[]): Promise<void>;
}

/**
 * Creates a sender: an idempotent producer with one request in flight, so that no failure can swap events. What is sent
 * meanwhile shares the next request.
 */
export function createSender(options: KafkaOptions): Sender {
  const producer = new Producer({
    ...clientOptions(options),
    idempotent: true,
    acks: ProduceAcks.ALL,
    serializers: { key: stringSerializer, headerKey: stringSerializer, headerValue: stringSerializer },
  });
  let waiting: Waiting[] = [];
  let working: Promise<void> | undefined;
  let closed = false;

  const write = async (events: readonly BusEvent[]) => {
    for (const page of pagesOf(events)) {
      const messages = page.map((event) => {
        const topic = topicOf(options.prefix, event.type);
        return { topic, ...encodeEvent(event) };
      });
      await producer.send({ messages });
    }
  };

  const writeCalls = async (calls: readonly Waiting[]): Promise<void> => {
    try {
      await write(calls.flatMap(({ events }) => events));
      for (const { settle } of calls) {
        settle.resolve();
      }
    } catch (error) {
      const isPermanent = findErrorBy(error as Error, "canRetry", false) !== null;
      if (isPermanent && calls.length > 1) {
        // One of them can never be sent, for example to a topic that does not exist. The others can.
        for (const call of calls) {
          await writeCalls([call]);
        }
        return;
      }
      for (const { settle } of calls) {
        settle.reject(error);
      }
    }
  };

  const work = async () => {
    while (waiting.length > 0) {
      const calls = waiting;
      waiting = [];
      await writeCalls(calls);
    }
    working = undefined;
  };

  return {
    async send(events) {
      if (closed) {
        throw new Error("the bus is closed");
      }
      const tooLarge = events.find(({ data }) => data.length > maxEventBytes);
      if (tooLarge !== undefined) {
        const { id, type, data } = tooLarge;
        throw new RangeError(
          `event ${id} of type ${type} has ${data.length} bytes; at most ${maxEventBytes} can be sent`,
        );
      }
      const settle = Promise.withResolvers<void>();
      waiting.push({ events, settle });
      working ??= work();
      await settle.promise;
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await working;
      await producer.close();
    },
  };
}

function* pagesOf(events: readonly BusEvent[]): Generator<readonly BusEvent[]> {
  let page: BusEvent[] = [];
  let bytes = 0;
  for (const event of events) {
    if (page.length > 0 && bytes + event.data.length > maxRequestBytes) {
      yield page;
      [page, bytes] = [[], 0];
    }
    page.push(event);
    bytes += event.data.length;
  }
  if (page.length > 0) {
    yield page;
  }
}
