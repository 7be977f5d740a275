import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import { forUpdate, insertIgnore } from "../../runtime/db/sql.ts";
import type { LogisticsDatabase, SandboxParcelsTable } from "../db/schema.ts";

type Trx = Transaction<LogisticsDatabase>;
export type SandboxParcel = Selectable<SandboxParcelsTable>;

/** Writes a parcel; false where its reference is taken. */
export function insertParcel(trx: Trx, parcel: SandboxParcel): Promise<boolean> {
  return insertIgnore(trx, "sandbox_parcels", parcel);
}

export function findParcel(db: Kysely<LogisticsDatabase>, reference: string): Promise<SandboxParcel | undefined> {
  return db.selectFrom("sandbox_parcels").selectAll().where("reference", "=", reference).executeTakeFirst();
}

/** The parcel, locked until the transaction ends. */
export function lockParcel(trx: Trx, dialect: DialectName, reference: string): Promise<SandboxParcel | undefined> {
  const query = trx.selectFrom("sandbox_parcels").selectAll().where("reference", "=", reference);
  return forUpdate(dialect, query).executeTakeFirst();
}

export async function cancelParcel(trx: Trx, reference: string, cancelledAt: number): Promise<void> {
  await trx
    .updateTable("sandbox_parcels")
    .set({ cancelled_at: cancelledAt })
    .where("reference", "=", reference)
    .execute();
}

/** Counts that somebody asked where the parcel is. */
export async function countAsking(db: Kysely<LogisticsDatabase>, reference: string): Promise<void> {
  await db
    .updateTable("sandbox_parcels")
    .set({ asked: sql<number>`asked + 1` })
    .where("reference", "=", reference)
    .execute();
}
