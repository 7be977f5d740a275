import type { Kysely } from "kysely";
import { idempotencyKeyReused } from "./errors.ts";
import type { IdempotencyKeysTable, IdempotencyTables } from "./tables.ts";

/** The statements of idempotency keys. */

/** A key with the request that it identifies. */
export type Claim = Omit<IdempotencyKeysTable, "response">;

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
