import { fromJsonString } from "@bufbuild/protobuf";
import { type Order as OrderMessage, OrderSchema } from "../../../../gen/docket/order/v1/order_pb.js";
import type { ImportRecord, RecordFailure } from "./import-record.ts";

/** An order of 500 lines with everything in it is far shorter. */
const MAX_LINE_BYTES = 4 * 1024 * 1024;

/** One order in proto3 JSON per line; blank lines are passed over. Holds no more than one line at a time. */
export async function* readNdjson(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ImportRecord> {
  let lineNumber = 0;
  for await (const line of splitLines(chunks)) {
    lineNumber += 1;
    if (line === undefined) {
      yield record(lineNumber, { lineNumber, field: "", message: `the line is longer than ${MAX_LINE_BYTES} bytes` });
    } else if (line.trim() !== "") {
      yield record(lineNumber, parse(line, lineNumber));
    }
  }
}

function record(lineNumber: number, order: OrderMessage | RecordFailure): ImportRecord {
  const externalId = "externalId" in order ? order.externalId : "";
  return { lineNumber, rows: 1, externalId, order, locate: (field) => ({ lineNumber, field }) };
}

function parse(line: string, lineNumber: number): OrderMessage | RecordFailure {
  try {
    return fromJsonString(OrderSchema, line);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const field = /field docket\.order\.v1\.(?:\w+\.)*(\w+) from JSON/.exec(message)?.[1] ?? "";
    return { lineNumber, field, message: `is not an order in proto3 JSON: ${message}` };
  }
}

/** The lines as text; undefined for one that is too long, of which only the length is looked at. */
async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string | undefined> {
  /** Leaves out the byte order mark with which some programs begin a file. */
  const decoder = new TextDecoder();
  let parts: Uint8Array[] = [];
  let length = 0;
  const add = (part: Uint8Array) => {
    length += part.length;
    if (length <= MAX_LINE_BYTES) {
      parts.push(part);
    } else {
      parts = [];
    }
  };
  const take = () => {
    const line = length > MAX_LINE_BYTES ? undefined : decoder.decode(Buffer.concat(parts));
    parts = [];
    length = 0;
    return line;
  };
  for await (const chunk of chunks) {
    let rest = chunk;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      add(rest.subarray(0, end));
      yield take();
      rest = rest.subarray(end + 1);
    }
    add(rest);
  }
  if (length > 0) {
    yield take();
  }
}
