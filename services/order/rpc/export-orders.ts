import { create, toJsonString } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { type Order as OrderMessage, OrderSchema } from "../../../gen/docket/order/v1/order_pb.js";
import { ExportFormat, type OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { HttpBodySchema } from "../../../gen/google/api/httpbody_pb.js";
import { redactFilter } from "../../runtime/api/filter-redaction.ts";
import { filterOf, orderOf } from "../../runtime/api/list.ts";
import type { PageKey } from "../../runtime/api/page-token.ts";
import { readsFor } from "../../runtime/api/reads-for.ts";
import { auditTrail } from "../../runtime/audit/audit.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { OrderContext } from "../context.ts";
import type { Order } from "../domain/order.ts";
import { toOrderMessage } from "../messages.ts";
import { listOrders, orderList } from "../store/list-orders.ts";
import { customerFields } from "../store/order-filter.ts";
import { exportedColumns, toCsv, toCsvRows } from "./bulk/csv-columns.ts";
import { createExportSlots } from "./bulk/export-slots.ts";

/** Maximum orders per read, and the number of the first read, whose orders' sizes are unknown. */
const BATCH = { first: 10, most: 200 };
/** Approximate lines per read. */
const BATCH_LINES = 2_000;

/** Start and continuation of a file format. */
interface Format {
  readonly contentType: string;
  readonly head: string;
  write(orders: readonly OrderMessage[]): string;
}

const csv: Format = {
  contentType: "text/csv; charset=utf-8",
  head: toCsv([exportedColumns]),
  write: (orders) => toCsv(orders.flatMap(toCsvRows)),
};

const ndjson: Format = {
  contentType: "application/x-ndjson",
  head: "",
  write: (orders) => orders.map((order) => `${toJsonString(OrderSchema, order)}\n`).join(""),
};

/**
 * Streams the orders that existed when the export began, the oldest first. Reads a batch only after the previous one
 * was consumed, so that a slow reader holds one batch. Concurrent exports are limited per caller and per process.
 */
export function exportOrders({ db, clock, outbox }: OrderContext): ServiceImpl<typeof OrderService>["exportOrders"] {
  const { keys, keysOf } = orderOf(orderList, [{ field: "create_time", direction: "asc" }]);
  const slots = createExportSlots();
  return async function* write(request, call) {
    const principal = principalOf(call);
    const { tenant } = principal;
    const format = request.format === ExportFormat.NDJSON ? ndjson : csv;
    const where = filterOf(orderList, request.filter, db.dialect);
    const auditedFilter = redactFilter(request.filter, customerFields);
    const createdUntil = clock.now().getTime();
    const reads = readsFor(db, call);
    const body = (text: string) =>
      create(HttpBodySchema, { contentType: format.contentType, data: new TextEncoder().encode(text) });

    await db.transaction((trx) =>
      outbox.publish(
        trx,
        auditTrail(call, { resource: "orders", aggregate: "orders/-", details: { filter: auditedFilter } }),
      ),
    );
    const release = slots.take(principal, call.signal);
    try {
      yield body(format.head);
      let after: PageKey[] | undefined;
      for (let limit = BATCH.first; ; ) {
        const page = await listOrders(reads, { tenant, createdUntil }, { where, keys, after, limit });
        const last = page.at(-1);
        if (last === undefined) {
          return;
        }
        yield body(format.write(page.map(toOrderMessage)));
        if (page.length < limit) {
          return;
        }
        after = keysOf(last);
        limit = nextLimit(page);
      }
    } finally {
      release();
    }
  };
}

/** The number of orders of this size that have about {@link BATCH_LINES} lines. */
function nextLimit(page: readonly Order[]): number {
  const lines = page.reduce((sum, order) => sum + order.lines.length, 0);
  const fitting = Math.floor((BATCH_LINES * page.length) / Math.max(1, lines));
  return Math.max(BATCH.first, Math.min(BATCH.most, fitting));
}
