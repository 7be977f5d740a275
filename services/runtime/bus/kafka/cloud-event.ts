import type { KafkaRecord } from "@platformatic/kafka";
import type { BusEvent } from "../event-bus.ts";

/** A Kafka message of an event. Keys and headers are text. */
export interface EventMessage {
  /** Events of one aggregate share a key, and by it a partition, which keeps their order. */
  readonly key: string;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

const contentType = "application/protobuf";

/**
 * Encodes an event in the binary content mode of CloudEvents' Kafka binding
 * (github.com/cloudevents/spec/blob/main/cloudevents/bindings/kafka-protocol-binding.md): the attributes are headers
 * with the prefix `ce_`, the value is the Protobuf message. `traceparent` and `tracestate` are repeated without the
 * prefix, where tracing tools for Kafka look for them.
 */
export function encodeEvent(event: BusEvent): EventMessage {
  const { id, type, source, aggregate, sequence, tenant, time, data, extensions } = event;
  const headers: Record<string, string> = {
    "content-type": contentType,
    ce_specversion: "1.0",
    ce_id: id,
    ce_type: type,
    ce_source: source,
    ce_subject: aggregate,
    ce_time: time.toISOString(),
    ce_sequence: `${sequence}`,
    ce_tenant: tenant,
  };
  for (const [name, value] of Object.entries(extensions)) {
    headers[`ce_${name}`] = value;
    if (name === "traceparent" || name === "tracestate") {
      headers[name] = value;
    }
  }
  return { key: `${tenant}/${aggregate}`, value: Buffer.from(data.buffer, data.byteOffset, data.length), headers };
}

const attributes = new Set(["specversion", "id", "type", "source", "subject", "time", "sequence", "tenant"]);

/** Decodes a record. Returns undefined if it is not one of {@link encodeEvent}. */
export function decodeEvent({ headers, value }: Pick<KafkaRecord, "headers" | "value">): BusEvent | undefined {
  const given = new Map<string, string>();
  for (const [name, text] of headers) {
    const header = name?.toString() ?? "";
    if (header.startsWith("ce_")) {
      given.set(header.slice(3), text?.toString() ?? "");
    }
  }
  const [id, type, source, aggregate] = ["id", "type", "source", "subject"].map((name) => given.get(name));
  const sequence = Number(given.get("sequence"));
  const time = new Date(given.get("time") ?? "");
  if (!id || !type || !source || !aggregate || !Number.isSafeInteger(sequence) || Number.isNaN(time.getTime())) {
    return undefined;
  }
  const extensions = Object.fromEntries([...given].filter(([name]) => !attributes.has(name)));
  // Copied, so that the event does not keep the whole response of the fetch in memory.
  const data = new Uint8Array(value ?? []);
  return { id, type, source, aggregate, sequence, tenant: given.get("tenant") ?? "", time, data, extensions };
}
