import { type AnyTransaction, withTables } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import { forUpdate, incoming, nowMs, upsert } from "../db/sql.ts";
import { BUCKETS, type OutboxTables } from "./tables.ts";

/** Divides the buckets among the relays of a database. */
export interface BucketLeases {
  /** Renews this relay's heartbeat, and acquires or releases buckets towards an equal share. Returns its buckets. */
  renew(): Promise<readonly number[]>;
  /** Releases all buckets. */
  release(): Promise<void>;
}

/**
 * Creates bucket leases. A relay that stalls past its lease may briefly send the same events as another; both begin at
 * an aggregate's first unsent row, so consumers still first see every event in its order.
 */
export function createBucketLeases<DB extends OutboxTables>(
  db: Database<DB>,
  { owner, leaseMs }: { readonly owner: string; readonly leaseMs: number },
): BucketLeases {
  const now = nowMs(db.dialect);

  const announce = async (trx: AnyTransaction): Promise<number> => {
    const tables = withTables<OutboxTables>(trx);
    await tables.deleteFrom("outbox_relays").where("leased_until", "<=", now).execute();
    const insert = tables
      .insertInto("outbox_relays")
      .values((row) => ({ owner, leased_until: row(now, "+", leaseMs) }));
    const update = { leased_until: incoming(db.dialect, "leased_until") };
    await upsert(db.dialect, insert, { key: ["owner"], update }).execute();
    const relays = await tables.selectFrom("outbox_relays").select("owner").execute();
    return relays.length;
  };

  return {
    renew: () =>
      db.transaction(async (trx) => {
        const tables = withTables<OutboxTables>(trx);
        const buckets = await forUpdate(
          db.dialect,
          tables
            .selectFrom("outbox_buckets")
            .select((row) => ["bucket", "owner", row("leased_until", ">", now).as("leased")])
            .orderBy("bucket"),
        ).execute();
        const relays = await announce(trx);
        const share = Math.ceil(BUCKETS / relays);
        const mine = buckets.filter((row) => row.owner === owner && row.leased);
        const free = buckets.filter((row) => !row.leased);
        const kept = [...mine, ...free].slice(0, share).map((row) => row.bucket);
        const given = mine.slice(share).map((row) => row.bucket);
        if (kept.length > 0) {
          await tables
            .updateTable("outbox_buckets")
            .set((row) => ({ owner, leased_until: row(now, "+", leaseMs) }))
            .where("bucket", "in", kept)
            .execute();
        }
        if (given.length > 0) {
          await tables.updateTable("outbox_buckets").set({ leased_until: 0 }).where("bucket", "in", given).execute();
        }
        return kept;
      }),

    async release() {
      await db.transaction(async (trx) => {
        const tables = withTables<OutboxTables>(trx);
        await tables.updateTable("outbox_buckets").set({ leased_until: 0 }).where("owner", "=", owner).execute();
        await tables.deleteFrom("outbox_relays").where("owner", "=", owner).execute();
      });
    },
  };
}
