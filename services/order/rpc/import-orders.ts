import { create } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { abortable } from "../../../gateway/call/abort.ts";
import {
  type ImportOrdersRequest,
  ImportOrdersResponseSchema,
  type ImportStop,
  ImportStopSchema,
  type OrderService,
} from "../../../gen/docket/order/v1/order_service_pb.js";
import { requestIdKey } from "../../runtime/context-values.ts";
import { invalidArgument, reasonOf, resourceExhausted } from "../../runtime/errors.ts";
import { toOutward } from "../../runtime/interceptors/error-mapping.ts";
import type { OrderContext } from "../context.ts";
import { type Bytes, charsetOf, toUtf8 } from "./bulk/encoding.ts";
import type { ImportRecord } from "./bulk/import-record.ts";
import { ImportStopped } from "./bulk/import-stopped.ts";
import { createImporter, type Importer } from "./bulk/importer.ts";
import { readCsv } from "./bulk/read-csv.ts";
import { readNdjson } from "./bulk/read-ndjson.ts";

/** Orders per inventory call and transaction. */
const BATCH = 50;

/**
 * Reads the file as a stream and buffers one batch of orders. Once rows were read, any cause that ends the import is
 * reported in the response, so that the caller always gets a report of what was done. Rows of an order that is
 * incomplete when a limit is reached are not imported.
 */
export function importOrders(ctx: OrderContext): ServiceImpl<typeof OrderService>["importOrders"] {
  const { importMaxRows, importMaxBytes, importMaxMs } = ctx.config;
  return async (requests, call) => {
    const timeLimit = new AbortController();
    const timer = setTimeout(() => timeLimit.abort(timeLimitReached(importMaxMs)), importMaxMs);
    try {
      const messages = abortable(requests, timeLimit.signal)[Symbol.asyncIterator]();
      const first = await messages.next();
      if (first.done) {
        throw invalidArgument([{ field: "file", description: "is required" }]);
      }
      const { validateOnly, file } = first.value;
      const importer = createImporter(ctx, call, { validateOnly });
      const bytes = limited(chunksOf(first.value, messages), importMaxBytes);
      const records = recordsOf(file?.contentType ?? "", bytes);
      const response = create(ImportOrdersResponseSchema);
      try {
        await importAll(importer, records, importMaxRows, timeLimit.signal);
      } catch (error) {
        if (call.signal.aborted || importer.result().rowCount === 0n) {
          throw error instanceof ImportStopped ? resourceExhausted(error.reason, error.message) : error;
        }
        response.stop = toStop(ctx, call, error, importer.lastLine());
      }
      return Object.assign(response, importer.result());
    } finally {
      clearTimeout(timer);
    }
  };
}

/** Imports batch by batch. Records read before the input ends or fails are imported. */
async function importAll(
  importer: Importer,
  records: AsyncIterable<ImportRecord>,
  maxRows: number,
  signal: AbortSignal,
): Promise<void> {
  let rows = 0;
  let batch: ImportRecord[] = [];
  const flush = async () => {
    const full = batch;
    batch = [];
    await importer.take(full);
  };
  try {
    for await (const record of records) {
      signal.throwIfAborted();
      rows += record.rows;
      if (rows > maxRows) {
        throw new ImportStopped("ROW_LIMIT", `an import may have ${maxRows} rows: send the rest as another file`);
      }
      batch.push(record);
      if (batch.length === BATCH) {
        await flush();
      }
    }
  } finally {
    await flush();
  }
}

function recordsOf(contentType: string, bytes: Bytes): AsyncIterable<ImportRecord> {
  const text = toUtf8(bytes, charsetOf(contentType));
  switch (contentType.split(";")[0]?.trim().toLowerCase()) {
    case "text/csv":
      return readCsv(text);
    case "application/x-ndjson":
    case "application/ndjson":
      return readNdjson(text);
    default: {
      const description = `is ${JSON.stringify(contentType)}: send the file alone as text/csv or application/x-ndjson`;
      throw invalidArgument([{ field: "file.content_type", description }]);
    }
  }
}

async function* chunksOf(
  first: ImportOrdersRequest,
  rest: AsyncIterator<ImportOrdersRequest>,
): AsyncGenerator<Uint8Array> {
  for (
    let next: IteratorResult<ImportOrdersRequest> = { done: false, value: first };
    !next.done;
    next = await rest.next()
  ) {
    const data = next.value.file?.data;
    if (data !== undefined && data.length > 0) {
      yield data;
    }
  }
}

async function* limited(chunks: Bytes, maxBytes: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new ImportStopped("BYTE_LIMIT", `an import may have ${maxBytes} bytes: send the rest as another file`);
    }
    yield chunk;
  }
}

function timeLimitReached(ms: number): ImportStopped {
  return new ImportStopped("TIME_LIMIT", `an import may take ${ms} ms: send the rest as another file`);
}

function toStop(ctx: OrderContext, call: HandlerContext, error: unknown, lastLine: number): ImportStop {
  const lineNumber = BigInt(lastLine + 1);
  if (error instanceof ImportStopped) {
    return create(ImportStopSchema, { reason: error.reason, message: error.message, lineNumber });
  }
  ctx.log.error({ err: error, requestId: call.values.get(requestIdKey) }, "an import ended early");
  const outward = toOutward(error, { signal: call.signal, contextValues: call.values });
  return create(ImportStopSchema, { reason: reasonOf(outward) ?? "", message: outward.rawMessage, lineNumber });
}
