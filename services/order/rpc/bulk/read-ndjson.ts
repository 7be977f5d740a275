import { fromJsonString } from "@bufbuild/protobuf";
import { type Order as OrderMessage, OrderSchema } from "../../../../gen/docket/order/v1/order_pb.js";
import type { Bytes } from "./encoding.ts";
import type { ImportRecord, RecordFailure } from "./import-record.ts";
import { readLines } from "./lines.ts";

/**
 * Longer than an order of 500 lines with every field set. Parsing cost, as of an integer of many digits, grows faster
 * than a line's length.
 */
const MAX_LINE_BYTES = 512 * 1024;

/** Reads one order in proto3 JSON per line; skips blank lines. Buffers at most one line. */
export async function* readNdjson(chunks: Bytes): AsyncGenerator<ImportRecord> {
  for await (const { lineNumber, text, problem } of readLines(chunks, MAX_LINE_BYTES)) {
    if (problem !== undefined) {
      yield record(lineNumber, { lineNumber, field: "", message: problem });
    } else if (text.trim() !== "") {
      yield record(lineNumber, parse(text, lineNumber));
    }
  }
}

function record(lineNumber: number, order: OrderMessage | RecordFailure): ImportRecord {
  const externalId = "externalId" in order ? order.externalId : "";
  const locate = (field: string) => ({ lineNumber, field: jsonName(field) });
  return { lineNumber, lastLine: lineNumber, rows: 1, externalId, order, locate };
}

/** Converts a path to JSON names: `lineItems[0].sku`. Map keys are kept. */
function jsonName(path: string): string {
  return path.replace(/"(?:[^"\\]|\\.)*"|_([a-z0-9])/g, (text, letter?: string) => letter?.toUpperCase() ?? text);
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
