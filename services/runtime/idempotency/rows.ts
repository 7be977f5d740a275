import type { Kysely } from "kysely";
import { type AnyTransaction, withTables } from "../db/any-transaction.ts";
import { isLockTimeout } from "../db/errors.ts";
import { insertIgnore } from "../db/sql.ts";
import { idempotencyKeyReused, requestInProgress } from "./errors.ts";
import type { IdempotencyKeysTable, IdempotencyTables } from "./tables.ts";

/** The statements of idempotency keys. */

/** A key with the request that it identifies. */
export type Claim = Omit<IdempotencyKeysTable, "response">;

/**
 * Claims the key for this transaction, or returns the response stored under it. Waits for another transaction that has
 * claimed it.
 *
 * @throws ConnectError IDEMPOTENCY_KEY_REUSED, REQUEST_IN_PROGRESS
 */
export async function takeKey(trx: AnyTransaction, claim: Claim): Promise<Uint8Array | undefined> {
  const kysely = withTables<IdempotencyTables>(trx);
  try {
    if (await insertIgnore(kysely, "idempotency_keys", { ...claim, response: null })) {
      return undefined;
    }
  } catch (error) {
    throw isLockTimeout(error) ? requestInProgress() : error;
  }
  const response = await findResponse(kysely, claim);
  if (response === undefined) {
    throw requestInProgress();
  }
  return response;
}

/**
 * Finds the response stored under the key; undefined if there is none.
 *
 * @throws ConnectError IDEMPOTENCY_KEY_REUSED if the key belongs to another request or method
 */
export async function findResponse(kysely: Kysely<IdempotencyTables>, claim: Claim): Promise<Uint8Array | undefined> {
  const row = await kysely
    .selectFrom("idempotency_keys")
    .select(["method", "request_hash", "response"])
    .where("tenant_id", "=", claim.tenant_id)
    .where("request_id", "=", claim.request_id)
    .executeTakeFirst();
  return readResponse(row, claim);
}

/**
 * Returns the response in the row of a key; undefined if there is none.
 *
 * @throws ConnectError IDEMPOTENCY_KEY_REUSED if the key belongs to another request or method
 */
export function readResponse(
  row: Pick<IdempotencyKeysTable, "method" | "request_hash" | "response"> | undefined,
  claim: Claim,
): Uint8Array | undefined {
  if (!row?.response) {
    return undefined;
  }
  if (row.method !== claim.method || row.request_hash !== claim.request_hash) {
    throw idempotencyKeyReused(claim.request_id);
  }
  return row.response;
}

/** Stores the response under the key that this transaction has claimed. */
export async function storeResponse(trx: AnyTransaction, claim: Claim, response: Uint8Array): Promise<void> {
  await withTables<IdempotencyTables>(trx)
    .updateTable("idempotency_keys")
    .set({ response })
    .where("tenant_id", "=", claim.tenant_id)
    .where("method", "=", claim.method)
    .where("request_id", "=", claim.request_id)
    .execute();
}
