import { describe, expect, test } from "@jest/globals";
import { busEvent } from "../event-bus-suite.ts";
import { decodeEvent, encodeEvent } from "./cloud-event.ts";

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** The record that a broker returns for an encoded event. */
function recordOf(event: Parameters<typeof encodeEvent>[0]) {
  const { headers, value } = encodeEvent(event);
  const pairs = Object.entries(headers).map(([name, text]): [Buffer, Buffer] => [Buffer.from(name), Buffer.from(text)]);
  return { headers: pairs, value };
}

describe("an event as a Kafka message", () => {
  test("is in CloudEvents' binary mode, with the trace also where Kafka's tools look for it", () => {
    const event = busEvent({ id: "e1", aggregate: "things/1", tenant: "acme", extensions: { traceparent } });
    expect(encodeEvent(event)).toEqual({
      key: "acme/things/1",
      value: Buffer.from(event.data),
      headers: {
        "content-type": "application/protobuf",
        ce_specversion: "1.0",
        ce_id: "e1",
        ce_type: "docket.test.v1.Happened",
        ce_source: "docket/test",
        ce_subject: "things/1",
        ce_time: event.time.toISOString(),
        ce_sequence: "1",
        ce_tenant: "acme",
        ce_traceparent: traceparent,
        traceparent,
      },
    });
  });

  test("keeps every attribute, text beyond ASCII and an empty message", () => {
    const events = [
      busEvent({ extensions: { traceparent, causationid: "é ✓" }, aggregate: "things/ü" }),
      busEvent({ data: new Uint8Array(), sequence: Number.MAX_SAFE_INTEGER, tenant: "" }),
      busEvent({ data: Uint8Array.of(0, 255, 10, 0).subarray(1, 3) }),
    ];
    expect(events.map((event) => decodeEvent(recordOf(event)))).toEqual(events);
  });

  test.each(["ce_id", "ce_type", "ce_source", "ce_subject", "ce_sequence", "ce_time"])("needs %s", (name) => {
    const { headers, value } = recordOf(busEvent());
    expect(decodeEvent({ headers: headers.filter(([header]) => header.toString() !== name), value })).toBeUndefined();
  });
});
