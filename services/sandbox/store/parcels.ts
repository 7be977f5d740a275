import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import { forUpdate, insertIgnore } from "../../runtime/db/sql.ts";
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
