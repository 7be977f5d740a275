import { type Insertable, type Kysely, type Selectable, sql, type Transaction } from "kysely";
import { type List, type ListPage, selectPage } from "../../runtime/api/list.ts";
import type { Database } from "../../runtime/db/connect.ts";
import { upsert } from "../../runtime/db/sql.ts";
import type { ApiKeysTable, OperationsDatabase } from "../db/schema.ts";

export type ApiKeyRow = Selectable<ApiKeysTable>;

type Db = Database<OperationsDatabase>;
type Trx = Transaction<OperationsDatabase>;

export async function insertApiKey(trx: Trx, row: Insertable<ApiKeysTable>): Promise<void> {
  await trx.insertInto("api_keys").values(row).execute();
}

export function findApiKeyByHash({ kysely }: Db, keyHash: string): Promise<ApiKeyRow | undefined> {
  return kysely.selectFrom("api_keys").selectAll().where("key_hash", "=", keyHash).executeTakeFirst();
}

export function findApiKey({ kysely }: Db, tenant: string, id: string): Promise<ApiKeyRow | undefined> {
  return kysely
    .selectFrom("api_keys")
    .selectAll()
    .where("tenant_id", "=", tenant)
    .where("id", "=", id)
    .executeTakeFirst();
}

/** ListApiKeys: newest first. */
export const apiKeyList: List<ApiKeyRow> = {
  method: "ListApiKeys",
  unique: { sql: sql.ref("id"), kind: "text", of: ({ id }) => id },
  order: { direction: "desc" },
  bytesOf: ({ display_name, scopes }) => 300 + display_name.length + scopes.length,
};

/** Reads a page of the keys of one tenant or of all. */
export function listApiKeys(
  kysely: Kysely<OperationsDatabase>,
  tenant: string | undefined,
  page: ListPage,
): Promise<ApiKeyRow[]> {
  const all = kysely.selectFrom("api_keys").selectAll();
  return selectPage(tenant === undefined ? all : all.where("tenant_id", "=", tenant), page).execute();
}

/** Sets the revocation time unless it is already set. Returns whether it was set. */
export async function revokeApiKey(trx: Trx, tenant: string, id: string, nowMs: number): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable("api_keys")
    .set({ revoked_at: nowMs })
    .where("tenant_id", "=", tenant)
    .where("id", "=", id)
    .where("revoked_at", "is", null)
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

export async function touchApiKey({ kysely }: Db, id: string, minuteMs: number): Promise<void> {
  await kysely.updateTable("api_keys").set({ last_used_at: minuteMs }).where("id", "=", id).execute();
}

/** Replaces the key with this id by `row`, or removes it if `row` is undefined. Processes may do so at once. */
export async function replaceApiKey(db: Db, id: string, row: Insertable<ApiKeysTable> | undefined): Promise<void> {
  await db.transaction(async (trx) => {
    const others = trx.deleteFrom("api_keys").where("id", "=", id);
    if (row === undefined) {
      await others.execute();
      return;
    }
    await others.where("tenant_id", "!=", row.tenant_id).execute();
    const insert = trx.insertInto("api_keys").values(row);
    await upsert(db.dialect, insert, { key: ["tenant_id", "id"], update: replaced }).execute();
  });
}

const replaced = [
  "display_name",
  "key_hash",
  "key_prefix",
  "scopes",
  "expires_at",
  "revoked_at",
  "last_used_at",
  "created_at",
] as const;
