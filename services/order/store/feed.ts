import type { Kysely, Transaction } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import { forUpdate, insertIgnore } from "../../runtime/db/sql.ts";
import type { OrderDatabase } from "../db/schema.ts";
import type { TimelineEntry } from "../domain/order.ts";
import { fromEventRow } from "./order-row.ts";

/** A timeline entry to append to the feed. */
export interface FeedEntry {
  readonly orderId: string;
  readonly sequence: number;
}

/** The bounds of a tenant's feed: the last assigned position, and the last pruned one. */
export interface FeedEnds {
  readonly head: number;
  readonly pruned: number;
}

/** One entry of the feed, as read by a watcher. */
export interface FeedItem extends FeedEntry {
  readonly position: number;
  readonly entry: TimelineEntry;
}

/**
 * Appends entries that are not in the feed yet, in the given order. Positions are assigned under the lock of the
 * tenant's head, so that they become visible in order: a reader that has seen position 7 has missed nothing before it.
 * Four statements.
 */
export async function appendToFeed(
  trx: Transaction<OrderDatabase>,
  dialect: DialectName,
  tenant: string,
  entries: readonly FeedEntry[],
  at: number,
): Promise<void> {
  const head = await lockHead(trx, dialect, tenant);
  const known = await trx
    .selectFrom("order_feed")
    .select(["order_id", "sequence"])
    .where("tenant_id", "=", tenant)
    .where(
      "order_id",
      "in",
      entries.map(({ orderId }) => orderId),
    )
    .execute();
  const seen = new Set(known.map((row) => `${row.order_id}/${row.sequence}`));
  const rows: { tenant_id: string; position: number; order_id: string; sequence: number; created_at: number }[] = [];
  for (const { orderId, sequence } of entries) {
    const key = `${orderId}/${sequence}`;
    if (!seen.has(key)) {
      seen.add(key);
      const position = head + rows.length + 1;
      rows.push({ tenant_id: tenant, position, order_id: orderId, sequence, created_at: at });
    }
  }
  if (rows.length > 0) {
    await trx.insertInto("order_feed").values(rows).execute();
    await trx
      .updateTable("order_feed_heads")
      .set({ position: head + rows.length })
      .where("tenant_id", "=", tenant)
      .execute();
  }
}

/** Reads the current bounds of the tenant's feed. */
export async function feedEnds(db: Kysely<OrderDatabase>, tenant: string): Promise<FeedEnds> {
  const row = await db
    .selectFrom("order_feed_heads")
    .select(["position", "pruned"])
    .where("tenant_id", "=", tenant)
    .executeTakeFirst();
  return { head: row?.position ?? 0, pruned: row?.pruned ?? 0 };
}

/** Reads the next entries after a position, in order. One statement. */
export async function readFeed(
  db: Kysely<OrderDatabase>,
  tenant: string,
  after: number,
  limit: number,
): Promise<FeedItem[]> {
  const rows = await db
    .selectFrom("order_feed as feed")
    .innerJoin("order_events as event", (join) =>
      join
        .onRef("event.tenant_id", "=", "feed.tenant_id")
        .onRef("event.order_id", "=", "feed.order_id")
        .onRef("event.sequence", "=", "feed.sequence"),
    )
    .selectAll("event")
    .select("feed.position as position")
    .where("feed.tenant_id", "=", tenant)
    .where("feed.position", ">", after)
    .orderBy("feed.position")
    .limit(limit)
    .execute();
  return rows.map(({ position, ...row }) => ({
    position,
    orderId: row.order_id,
    sequence: row.sequence,
    entry: fromEventRow(row),
  }));
}

/** Deletes the oldest entries before a time, at most `limit` of each tenant. Returns the number deleted. */
export async function pruneFeed(
  trx: Transaction<OrderDatabase>,
  dialect: DialectName,
  before: number,
  limit: number,
): Promise<number> {
  const tenants = await trx.selectFrom("order_feed_heads").select("tenant_id").orderBy("tenant_id").execute();
  let deleted = 0;
  for (const { tenant_id: tenant } of tenants) {
    const old = await trx
      .selectFrom("order_feed")
      .select(["position", "created_at"])
      .where("tenant_id", "=", tenant)
      .orderBy("position")
      .limit(limit)
      .execute();
    const last = old.filter((row) => row.created_at < before).at(-1);
    if (last !== undefined) {
      await lockHead(trx, dialect, tenant);
      const { numDeletedRows } = await trx
        .deleteFrom("order_feed")
        .where("tenant_id", "=", tenant)
        .where("position", "<=", last.position)
        .executeTakeFirstOrThrow();
      await trx
        .updateTable("order_feed_heads")
        .set({ pruned: last.position })
        .where("tenant_id", "=", tenant)
        .execute();
      deleted += Number(numDeletedRows);
    }
  }
  return deleted;
}

async function lockHead(trx: Transaction<OrderDatabase>, dialect: DialectName, tenant: string): Promise<number> {
  const read = () =>
    forUpdate(dialect, trx.selectFrom("order_feed_heads").select("position").where("tenant_id", "=", tenant))
      .executeTakeFirst()
      .then((row) => row?.position);
  const head = await read();
  if (head !== undefined) {
    return head;
  }
  await insertIgnore(trx, "order_feed_heads", { tenant_id: tenant, position: 0, pruned: 0 });
  return (await read()) ?? 0;
}
