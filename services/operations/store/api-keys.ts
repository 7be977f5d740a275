import type { Insertable, Kysely, Selectable, Transaction } from "kysely";
import type { Database } from "../../runtime/db/connect.ts";
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

/** Lists a page of the keys of one tenant or of all, newest first, after the key `after`. */
export function listApiKeys(
  kysely: Kysely<OperationsDatabase>,
  page: { tenant: string | undefined; after: string | undefined; limit: number },
): Promise<ApiKeyRow[]> {
  let query = kysely.selectFrom("api_keys").selectAll();
  if (page.tenant !== undefined) {
    query = query.where("tenant_id", "=", page.tenant);
  }
  if (page.after !== undefined) {
    query = query.where("id", "<", page.after);
  }
  return query.orderBy("id", "desc").limit(page.limit).execute();
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

/** Replaces the key with this id by `row`, or removes it if `row` is undefined. */
export async function replaceApiKey(db: Db, id: string, row: Insertable<ApiKeysTable> | undefined): Promise<void> {
  await db.transaction(async (trx) => {
    await trx.deleteFrom("api_keys").where("id", "=", id).execute();
    if (row !== undefined) {
      await trx.insertInto("api_keys").values(row).execute();
    }
  });
}
