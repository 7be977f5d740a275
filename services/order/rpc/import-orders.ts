import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type ImportOrdersRequest,
  ImportOrdersResponseSchema,
  type OrderService,
} from "../../../gen/docket/order/v1/order_service_pb.js";
import { invalidArgument } from "../../runtime/errors.ts";
import type { OrderContext } from "../context.ts";
import type { ImportRecord } from "./bulk/import-record.ts";
import { createImporter } from "./bulk/importer.ts";
import { readCsv } from "./bulk/read-csv.ts";
import { readNdjson } from "./bulk/read-ndjson.ts";

/** Orders that share one call to the inventory service and one transaction. */
const BATCH = 50;

/**
 * Reads the file as it comes and holds no more of it than one batch of orders. What was taken before the stream broke
 * stays: send the file again, and orders with an external_id are left alone.
 */
export function importOrders(ctx: OrderContext): ServiceImpl<typeof OrderService>["importOrders"] {
  return async (requests, context) => {
    const messages = requests[Symbol.asyncIterator]();
    const first = await messages.next();
    if (first.done) {
      throw invalidArgument([{ field: "file", description: "is required" }]);
    }
    const { validateOnly, file } = first.value;
    const importer = createImporter(ctx, context, { validateOnly });
    const read = readerOf(file?.contentType ?? "");
    let batch: ImportRecord[] = [];
    for await (const record of read(chunksOf(first.value, messages))) {
      batch.push(record);
      if (batch.length === BATCH) {
        await importer.take(batch);
        batch = [];
      }
    }
    await importer.take(batch);
    return create(ImportOrdersResponseSchema, importer.result());
  };
}

function readerOf(contentType: string) {
  switch (contentType.split(";")[0]?.trim().toLowerCase()) {
    case "text/csv":
      return readCsv;
    case "application/x-ndjson":
    case "application/ndjson":
      return readNdjson;
    default:
      throw invalidArgument([{ field: "file.content_type", description: "must be text/csv or application/x-ndjson" }]);
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
