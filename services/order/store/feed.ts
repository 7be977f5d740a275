import type { Kysely, Transaction } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import { forUpdate } from "../../runtime/db/sql.ts";
import type { OrderDatabase } from "../db/schema.ts";
import type { TimelineEntry } from "../domain/order.ts";
import { fromEventRow } from "./order-row.ts";

/** The bounds of a tenant's feed: the last assigned position, and the last pruned one. */
export interface FeedEnds {
  readonly head: number;
  readonly pruned: number;
}

/** One entry of the feed, as read by a watcher. */
export interface FeedItem {
  readonly position: number;
  readonly orderId: string;
  readonly sequence: number;
  readonly entry: TimelineEntry;
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
      await forUpdate(
        dialect,
        trx.selectFrom("order_feed_heads").select("position").where("tenant_id", "=", tenant),
      ).execute();
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
