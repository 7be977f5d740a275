import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import { afterCommit } from "../../runtime/db/after-commit.ts";
import type { DialectName } from "../../runtime/db/connect.ts";
import { forUpdate } from "../../runtime/db/sql.ts";
import type { Outbox } from "../../runtime/outbox/outbox.ts";
import type { ChangeNotifier } from "../change-notifier.ts";
import type { OrderDatabase, OrderLinesTable } from "../db/schema.ts";
import type { Change } from "../domain/changes.ts";
import type { Order } from "../domain/order.ts";
import { orderEvent } from "../events.ts";
import { fromOrderRow, type OrderRow, toEventRow, toLineRow, toOrderRow, toProgressColumns } from "./order-row.ts";

type Reader = Kysely<OrderDatabase>;
type Writer = Transaction<OrderDatabase>;

/** SQLite takes 32,766 parameters a statement, MariaDB 65,535. */
const ROWS_PER_INSERT = 500;

/** Outputs of a change besides the tables. */
export interface ChangeSink {
  readonly outbox: Outbox;
  /** Notified of each changed order once the transaction has committed. */
  readonly changed: ChangeNotifier;
}

/** Finds an order; undefined if this tenant has none with this id. */
export async function findOrder(db: Reader, tenant: string, id: string): Promise<Order | undefined> {
  const [order] = await findOrders(db, tenant, [id]);
  return order;
}

/** Finds the tenant's orders with these ids, in any order. Two statements. */
export async function findOrders(db: Reader, tenant: string, ids: readonly string[]): Promise<Order[]> {
  const rows = await db
    .selectFrom("orders")
    .selectAll()
    .where("tenant_id", "=", tenant)
    .where("id", "in", ids)
    .execute();
  return withLines(db, tenant, rows);
}

/** Maximum lines of an order. */
const MAX_LINES = 500;
/** Up to this many orders cannot exceed the lines of a response. */
const UNCOUNTED_ORDERS = 10;

/**
 * Counts the lines of the orders together; an order that is named twice counts twice. Up to ten orders are not counted:
 * their upper bound is returned, without a statement.
 */
export async function countLines(db: Reader, tenant: string, ids: readonly string[]): Promise<number> {
  if (ids.length <= UNCOUNTED_ORDERS) {
    return ids.length * MAX_LINES;
  }
  const rows = await db
    .selectFrom("order_lines")
    .select(["order_id", sql<number>`count(*)`.as("lines")])
    .where("tenant_id", "=", tenant)
    .where("order_id", "in", [...new Set(ids)])
    .groupBy("order_id")
    .execute();
  const lines = new Map(rows.map((row) => [row.order_id, row.lines]));
  return ids.reduce((sum, id) => sum + (lines.get(id) ?? 0), 0);
}

/** Finds the tenant's orders with these external_ids. Two statements. */
export async function findOrdersByExternalId(
  db: Reader,
  tenant: string,
  externalIds: readonly string[],
): Promise<Order[]> {
  const rows = await db
    .selectFrom("orders")
    .selectAll()
    .where("tenant_id", "=", tenant)
    .where("external_id", "in", externalIds)
    .execute();
  return withLines(db, tenant, rows);
}

/** Reads the order and locks it until the transaction ends. */
export async function lockOrder(
  trx: Writer,
  dialect: DialectName,
  tenant: string,
  id: string,
): Promise<Order | undefined> {
  const row = await forUpdate(
    dialect,
    trx.selectFrom("orders").selectAll().where("tenant_id", "=", tenant).where("id", "=", id),
  ).executeTakeFirst();
  const [order] = await withLines(trx, tenant, row ? [row] : []);
  return order;
}

/**
 * Converts rows of one tenant to orders with their lines, in the order of the rows. One statement, none for no rows.
 */
export async function withLines(db: Reader, tenant: string, rows: readonly OrderRow[]): Promise<Order[]> {
  if (rows.length === 0) {
    return [];
  }
  const lines = await db
    .selectFrom("order_lines")
    .selectAll()
    .where("tenant_id", "=", tenant)
    .where(
      "order_id",
      "in",
      rows.map((row) => row.id),
    )
    .orderBy("order_id")
    .orderBy("line_number")
    .execute();
  const byOrder = new Map<string, Selectable<OrderLinesTable>[]>();
  for (const line of lines) {
    const orderLines = byOrder.get(line.order_id);
    if (orderLines === undefined) {
      byOrder.set(line.order_id, [line]);
    } else {
      orderLines.push(line);
    }
  }
  return rows.map((row) => fromOrderRow(row, byOrder.get(row.id) ?? []));
}

/**
 * Inserts orders with their lines, first timeline entries and events: four statements, more for thousands of lines.
 * Throws a unique violation if an external_id is taken.
 */
export async function insertOrders(trx: Writer, sink: ChangeSink, placed: readonly Change[]): Promise<void> {
  for (const batch of chunks(placed, ROWS_PER_INSERT)) {
    await trx
      .insertInto("orders")
      .values(batch.map(({ order }) => toOrderRow(order)))
      .execute();
  }
  const lines = placed.flatMap(({ order }) => order.lines.map((line) => toLineRow(order, line)));
  for (const batch of chunks(lines, ROWS_PER_INSERT)) {
    await trx.insertInto("order_lines").values(batch).execute();
  }
  await record(trx, sink, placed);
}

/**
 * Writes the changes of a locked order, with its timeline entries and events: three statements, plus one for each line
 * whose quantities changed. `before` is the order as it was locked; each change builds on the previous one.
 */
export async function saveChanges(
  trx: Writer,
  sink: ChangeSink,
  before: Order,
  changes: readonly Change[],
): Promise<Order> {
  const last = changes.at(-1)?.order;
  if (last === undefined) {
    return before;
  }
  const { numUpdatedRows } = await trx
    .updateTable("orders")
    .set(toProgressColumns(last))
    .where("tenant_id", "=", before.tenant)
    .where("id", "=", before.id)
    .where("version", "=", before.version)
    .executeTakeFirstOrThrow();
  if (numUpdatedRows !== 1n) {
    throw new Error(`order ${before.id} was changed by another transaction although it was locked`);
  }
  for (const [index, line] of last.lines.entries()) {
    const old = before.lines[index];
    const changed =
      old?.quantityShipped !== line.quantityShipped ||
      old.quantityDelivered !== line.quantityDelivered ||
      old.quantityCancelled !== line.quantityCancelled;
    if (changed) {
      await trx
        .updateTable("order_lines")
        .set({
          quantity_shipped: line.quantityShipped,
          quantity_delivered: line.quantityDelivered,
          quantity_cancelled: line.quantityCancelled,
        })
        .where("tenant_id", "=", before.tenant)
        .where("order_id", "=", before.id)
        .where("line_number", "=", Number(line.id))
        .execute();
    }
  }
  await record(trx, sink, changes);
  return last;
}

/**
 * Locks an order and writes the changes returned by `decide`. Resolves with the order afterwards, or with undefined if
 * this tenant has none with this id.
 */
export async function changeOrder(
  trx: Writer,
  sink: ChangeSink & { readonly db: { readonly dialect: DialectName } },
  key: { readonly tenant: string; readonly id: string },
  decide: (order: Order) => readonly Change[] | Promise<readonly Change[]>,
): Promise<Order | undefined> {
  const order = await lockOrder(trx, sink.db.dialect, key.tenant, key.id);
  return order && saveChanges(trx, sink, order, await decide(order));
}

/**
 * Counts on a locked order that a shipment of it is about to be created; its version stays. Returns the order
 * afterwards.
 */
export async function noteAnnouncement(trx: Writer, order: Order): Promise<Order> {
  const shipmentAnnouncements = order.shipmentAnnouncements + 1;
  await trx
    .updateTable("orders")
    .set({ shipment_announcements: shipmentAnnouncements })
    .where("tenant_id", "=", order.tenant)
    .where("id", "=", order.id)
    .execute();
  return { ...order, shipmentAnnouncements };
}

async function record(trx: Writer, sink: ChangeSink, changes: readonly Change[]): Promise<void> {
  for (const batch of chunks(changes, ROWS_PER_INSERT)) {
    await trx
      .insertInto("order_events")
      .values(batch.map(({ order, entry }) => toEventRow(order, entry)))
      .execute();
  }
  await sink.outbox.publish(trx, changes.map(orderEvent));
  afterCommit(trx, () => {
    for (const { order } of changes) {
      sink.changed.notify(order.id);
    }
  });
}

function* chunks<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) {
    yield items.slice(at, at + size);
  }
}
