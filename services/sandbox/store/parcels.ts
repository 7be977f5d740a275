import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import type { Database, DialectName } from "../../runtime/db/connect.ts";
import { forUpdate, insertIgnore } from "../../runtime/db/sql.ts";
import { RETENTION_BATCH } from "../../runtime/retention/retention.ts";
import type { Clock } from "../../runtime/values/clock.ts";
import type { ParcelsTable, SandboxDatabase } from "../db/schema.ts";

type Trx = Transaction<SandboxDatabase>;
export type SandboxParcel = Selectable<ParcelsTable>;

/** Inserts a parcel. Returns false if its reference is taken. */
export function insertParcel(trx: Trx, parcel: SandboxParcel): Promise<boolean> {
  return insertIgnore(trx, "parcels", parcel);
}

export function findParcel(db: Kysely<SandboxDatabase>, reference: string): Promise<SandboxParcel | undefined> {
  return db.selectFrom("parcels").selectAll().where("reference", "=", reference).executeTakeFirst();
}

/** Returns the parcel, locked until the transaction ends. */
export function lockParcel(trx: Trx, dialect: DialectName, reference: string): Promise<SandboxParcel | undefined> {
  const query = trx.selectFrom("parcels").selectAll().where("reference", "=", reference);
  return forUpdate(dialect, query).executeTakeFirst();
}

export async function cancelParcel(trx: Trx, reference: string, cancelledAt: number): Promise<void> {
  await trx.updateTable("parcels").set({ cancelled_at: cancelledAt }).where("reference", "=", reference).execute();
}

/** Increments the parcel's count of tracking requests. */
export async function countAsking(db: Kysely<SandboxDatabase>, reference: string): Promise<void> {
  await db.updateTable("parcels").set({ asked: sql<number>`asked + 1` }).where("reference", "=", reference).execute();
}

/** Deletes a batch of parcels booked before the cutoff. Returns whether there may be more. */
export async function deleteParcels(
  { kysely }: Database<SandboxDatabase>,
  clock: Clock,
  keptMs: number,
): Promise<boolean> {
  const old = await kysely
    .selectFrom("parcels")
    .select("reference")
    .where("booked_at", "<", clock.now().getTime() - keptMs)
    .orderBy("booked_at")
    .limit(RETENTION_BATCH)
    .execute();
  if (old.length > 0) {
    const references = old.map(({ reference }) => reference);
    await kysely.deleteFrom("parcels").where("reference", "in", references).execute();
  }
  return old.length === RETENTION_BATCH;
}
