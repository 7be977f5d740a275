import type { BusEvent } from "../../../services/runtime/bus/event-bus.ts";
import { decodeEvent } from "../../../services/runtime/bus/kafka/cloud-event.ts";

/** A message of a queue, or a record of a topic, with what it carries. */
export interface Message {
  /** For the platform's account of failures. */
  readonly id: string;
  /** Messages of a group are handled in order, and a failure keeps back those behind it. */
  readonly group: string;
  readonly content: MessageContent;
}

/** An event for consumers, the names of jobs to run, or neither. */
export type MessageContent =
  | { readonly event: BusEvent }
  | { readonly jobs: readonly string[] | undefined }
  | { readonly problem: string };

/** What a platform's event asks of consumers and jobs. */
export type Task =
  | { readonly kind: "sqs"; readonly messages: readonly Message[] }
  | { readonly kind: "kafka"; readonly messages: readonly Message[] }
  | { readonly kind: "schedule"; readonly jobs: readonly string[] | undefined };

interface QueueRecord {
  readonly messageId: string;
  readonly eventSource: string;
  readonly body: string;
  readonly attributes?: { readonly MessageGroupId?: string };
}

interface TopicRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly value?: string | null;
  readonly headers?: readonly Readonly<Record<string, readonly number[]>>[];
}

/**
 * Reads an event of SQS, of Amazon MSK or a self-managed Kafka, or of a schedule (`{"jobs": ["sagas"]}`, or EventBridge's
 * own). Undefined for an event of any other kind.
 */
export function taskOf(event: unknown): Task | undefined {
  if (typeof event !== "object" || event === null) {
    return undefined;
  }
  if ("Records" in event && Array.isArray(event.Records) && event.Records[0]?.eventSource === "aws:sqs") {
    const records = event.Records as readonly QueueRecord[];
    return { kind: "sqs", messages: records.map(queueMessage) };
  }
  if ("records" in event && "eventSource" in event && /kafka/i.test(String(event.eventSource))) {
    const records = Object.values(event.records as Readonly<Record<string, readonly TopicRecord[]>>).flat();
    return { kind: "kafka", messages: records.map(topicMessage) };
  }
  if ("jobs" in event || ("source" in event && event.source === "aws.events") || "detail-type" in event) {
    return { kind: "schedule", jobs: jobsOf(event) };
  }
  return undefined;
}

function queueMessage({ messageId, body, attributes }: QueueRecord): Message {
  const content = contentOf(body);
  const aggregate = "event" in content ? `${content.event.tenant}\0${content.event.aggregate}` : messageId;
  return { id: messageId, group: attributes?.MessageGroupId ?? aggregate, content };
}

function topicMessage({ topic, partition, offset, value, headers = [] }: TopicRecord): Message {
  const entries = headers.flatMap((header) =>
    Object.entries(header).map(([name, bytes]) => [Buffer.from(name), Buffer.from(bytes)] as const),
  );
  const event = decodeEvent({ headers: new Map(entries), value: Buffer.from(value ?? "", "base64") } as never);
  return {
    id: `${topic}-${partition}@${offset}`,
    group: `${topic}-${partition}`,
    content: event === undefined ? { problem: "not a CloudEvent of Docket" } : { event },
  };
}

/** The attributes of CloudEvents that are not extensions. */
const attributes = new Set([
  ...["specversion", "id", "type", "source", "subject", "time", "datacontenttype", "data_base64"],
  ...["sequence", "tenant"],
]);

/** Reads a message's text: a CloudEvent in the JSON format with `data_base64`, or `{"jobs": […]}`. */
function contentOf(text: string): MessageContent {
  let given: Record<string, unknown>;
  try {
    given = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return { problem: "not JSON" };
  }
  if ("jobs" in given) {
    return { jobs: jobsOf(given) };
  }
  const { id, type, source, subject, data_base64: data } = given;
  const sequence = Number(given["sequence"]);
  const time = new Date(String(given["time"]));
  const texts = [id, type, source, subject, data];
  if (!texts.every((each) => typeof each === "string") || !Number.isSafeInteger(sequence) || Number.isNaN(+time)) {
    return { problem: "neither a CloudEvent of Docket nor a list of jobs" };
  }
  const extensions = Object.entries(given).filter(([name]) => !attributes.has(name));
  return {
    event: {
      id: String(id),
      type: String(type),
      source: String(source),
      aggregate: String(subject),
      sequence,
      tenant: String(given["tenant"] ?? ""),
      time,
      data: new Uint8Array(Buffer.from(String(data), "base64")),
      extensions: Object.fromEntries(extensions.map(([name, value]) => [name, String(value)])),
    },
  };
}

function jobsOf(event: object): readonly string[] | undefined {
  return "jobs" in event && Array.isArray(event.jobs) ? event.jobs.map(String) : undefined;
}
