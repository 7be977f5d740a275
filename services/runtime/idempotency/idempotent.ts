import { setTimeout as sleep } from "node:timers/promises";
import { type DescMessage, type DescMethod, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import type { Kysely, Transaction } from "kysely";
import { type AnyTransaction, tablesOf, withTables } from "../db/any-transaction.ts";
import { bytes, epochMs, notNull, tenantId, text } from "../db/columns.ts";
import type { Database } from "../db/connect.ts";
import { databaseErrorKind, isLockTimeout } from "../db/errors.ts";
import { ensure, type Migration } from "../db/migrate.ts";
import { insertIgnore } from "../db/sql.ts";
import { aborted, alreadyExists } from "../errors.ts";
import { RETENTION_BATCH, type RetentionRule } from "../retention/retention.ts";
import type { Clock } from "../values/clock.ts";
import type { RequestKey } from "./idempotency-key.ts";
import { hashRequest } from "./request-hash.ts";

/** A completed mutation with its idempotency key and response. */
export interface IdempotencyKeysTable {
  tenant_id: string;
  /** The full name of the RPC, `docket.order.v1.OrderService/CreateOrder`. */
  method: string;
  request_id: string;
  request_hash: string;
  /** The encoded response; null only inside the transaction of the mutation. */
  response: Uint8Array | null;
  /** Epoch milliseconds by the service's clock. */
  created_at: number;
}

/** Part of the schema type of every service with mutations. */
export interface IdempotencyTables {
  idempotency_keys: IdempotencyKeysTable;
}

/** Migrations for every service with mutations. */
export const idempotencyMigrations: Readonly<Record<string, Migration>> = {
  "idempotency-0001": {
    async up({ schema }) {
      await schema
        .createTable("idempotency_keys")
        .ifNotExists()
        .addColumn("tenant_id", tenantId, notNull)
        .addColumn("method", text(128), notNull)
        .addColumn("request_id", text(128), notNull)
        .addColumn("request_hash", text(64), notNull)
        .addColumn("response", bytes)
        .addColumn("created_at", epochMs, notNull)
        .addPrimaryKeyConstraint("idempotency_keys_pk", ["tenant_id", "method", "request_id"])
        .execute();
      await ensure(schema.createIndex("idempotency_keys_created_at").on("idempotency_keys").column("created_at"));
    },
  },
  "idempotency-0002b-key-of-one-method": {
    async up(kysely) {
      await forgetReusedKeys(tablesOf<IdempotencyTables>(kysely));
      const index = kysely.schema.createIndex("idempotency_keys_request").on("idempotency_keys").unique();
      await ensure(index.columns(["tenant_id", "request_id"]));
    },
  },
};

/** Deletes all but the first use of keys that were used for several methods. */
async function forgetReusedKeys(kysely: Kysely<IdempotencyTables>): Promise<void> {
  const reused = await kysely
    .selectFrom("idempotency_keys")
    .select(["tenant_id", "request_id"])
    .groupBy(["tenant_id", "request_id"])
    .having((eb) => eb(eb.fn.countAll(), ">", 1))
    .execute();
  for (const { tenant_id, request_id } of reused) {
    const uses = await kysely
      .selectFrom("idempotency_keys")
      .select("method")
      .where("tenant_id", "=", tenant_id)
      .where("request_id", "=", request_id)
      .orderBy("created_at")
      .orderBy("method")
      .execute();
    await kysely
      .deleteFrom("idempotency_keys")
      .where("tenant_id", "=", tenant_id)
      .where("request_id", "=", request_id)
      .where(
        "method",
        "in",
        uses.slice(1).map(({ method }) => method),
      )
      .execute();
  }
}

/** A mutation to execute at most once. */
export interface IdempotentCall<Input extends DescMessage, Output extends DescMessage> {
  tenant: string;
  method: DescMethod & { input: Input; output: Output };
  /** The idempotency key, see `idempotencyKeyOf`. Without one the mutation is executed unconditionally. */
  requestId: RequestKey | undefined;
  request: MessageShape<Input>;
  clock: Clock;
  signal?: AbortSignal | undefined;
}

/** Suggested delay before a caller retries a key in progress. */
const IN_PROGRESS_RETRY_MS = 1000;
const MAX_LOOKUPS = 5;
const LOOKUP_PAUSE_MS = 200;

/**
 * Executes a mutation in a transaction, together with its key, the request's hash and the response: all are committed,
 * or none. The same key with the same request of the same caller returns the stored response, in any process, without
 * running `fn`. A concurrent call with the key is waited for.
 *
 * `fn` is retried like that of `Database.transaction`. If it throws, the key stays unused. If the response to COMMIT is
 * lost, the key is looked up, so that a mutation with a key is never executed twice and never reported as lost if it
 * was committed.
 *
 * @throws ConnectError ALREADY_EXISTS, reason IDEMPOTENCY_KEY_REUSED, if the key belongs to another caller or to
 * another request, of any method; ABORTED, reason REQUEST_IN_PROGRESS, with RetryInfo, if the other call takes longer
 * than the lock wait timeout.
 */
export async function idempotent<DB extends IdempotencyTables, Input extends DescMessage, Output extends DescMessage>(
  db: Database<DB>,
  call: IdempotentCall<Input, Output>,
  fn: (trx: Transaction<DB>) => Promise<MessageShape<Output>>,
): Promise<MessageShape<Output>> {
  const { signal, requestId } = call;
  if (requestId === undefined) {
    return db.transaction(fn, { signal });
  }
  const claim = claimOf(call, requestId);
  const carryOut = async (trx: Transaction<DB>) => {
    const stored = await takeKey(trx, claim);
    if (stored) {
      return fromBinary(call.method.output, stored);
    }
    const response = await fn(trx);
    await storeResponse(trx, claim, toBinary(call.method.output, response));
    return response;
  };
  for (let lookup = 1; ; lookup++) {
    try {
      return await db.transaction(carryOut, { signal });
    } catch (error) {
      if (databaseErrorKind(error) !== "commit-unknown" || lookup >= MAX_LOOKUPS) {
        throw error;
      }
    }
    await sleep(LOOKUP_PAUSE_MS * lookup, undefined, { signal });
  }
}

/**
 * Returns the response stored under the call's key, if any. For mutations with work before their transaction, to detect
 * replays and reused keys first.
 *
 * @throws ConnectError ALREADY_EXISTS, reason IDEMPOTENCY_KEY_REUSED, if the key belongs to another request
 */
export async function storedResponse<
  DB extends IdempotencyTables,
  Input extends DescMessage,
  Output extends DescMessage,
>(db: Database<DB>, call: IdempotentCall<Input, Output>): Promise<MessageShape<Output> | undefined> {
  if (call.requestId === undefined) {
    return undefined;
  }
  const stored = await findResponse(tablesOf<IdempotencyTables>(db.kysely), claimOf(call, call.requestId));
  return stored && fromBinary(call.method.output, stored);
}

/** Retention of idempotency keys. */
export function idempotencyRetention<DB extends IdempotencyTables>(
  { db, clock }: { readonly db: Database<DB>; readonly clock: Clock },
  keptMs: number,
): RetentionRule {
  return {
    table: "idempotency_keys",
    keptMs,
    prune: async (keptMs) => {
      const createdBefore = new Date(clock.now().getTime() - keptMs);
      return (await deleteIdempotencyKeys(db, { createdBefore, limit: RETENTION_BATCH })) > 0;
    },
  };
}

/**
 * Deletes keys created before the time, oldest first and at most about `limit`. Returns the number deleted, zero if
 * none are left.
 */
export async function deleteIdempotencyKeys<DB extends IdempotencyTables>(
  db: Database<DB>,
  options: { createdBefore: Date; limit: number },
): Promise<number> {
  const kysely = tablesOf<IdempotencyTables>(db.kysely);
  const createdBefore = options.createdBefore.getTime();
  const last = await kysely
    .selectFrom("idempotency_keys")
    .select("created_at")
    .where("created_at", "<", createdBefore)
    .orderBy("created_at")
    .limit(1)
    .offset(options.limit - 1)
    .executeTakeFirst();
  const { numDeletedRows } = await kysely
    .deleteFrom("idempotency_keys")
    .where("created_at", last ? "<=" : "<", last?.created_at ?? createdBefore)
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}

type Claim = Omit<IdempotencyKeysTable, "response">;

function claimOf<Input extends DescMessage, Output extends DescMessage>(
  { tenant, method, request, clock }: IdempotentCall<Input, Output>,
  requestId: RequestKey,
): Claim {
  return {
    tenant_id: tenant,
    method: `${method.parent.typeName}/${method.name}`,
    request_id: requestId.id,
    request_hash: hashRequest(method.input, request, requestId.caller),
    created_at: clock.now().getTime(),
  };
}

/** Claims the key for this transaction, or returns the response stored under it. */
async function takeKey(trx: AnyTransaction, claim: Claim): Promise<Uint8Array | undefined> {
  const kysely = withTables<IdempotencyTables>(trx);
  try {
    if (await insertIgnore(kysely, "idempotency_keys", { ...claim, response: null })) {
      return undefined;
    }
  } catch (error) {
    throw isLockTimeout(error) ? inProgress() : error;
  }
  const response = await findResponse(kysely, claim);
  if (response === undefined) {
    throw inProgress();
  }
  return response;
}

/** The response under the key, for any method; undefined if there is none. */
async function findResponse(kysely: Kysely<IdempotencyTables>, claim: Claim): Promise<Uint8Array | undefined> {
  const row = await kysely
    .selectFrom("idempotency_keys")
    .select(["method", "request_hash", "response"])
    .where("tenant_id", "=", claim.tenant_id)
    .where("request_id", "=", claim.request_id)
    .executeTakeFirst();
  if (!row?.response) {
    return undefined;
  }
  if (row.method !== claim.method || row.request_hash !== claim.request_hash) {
    throw idempotencyKeyReused(claim.request_id);
  }
  return row.response;
}

async function storeResponse(trx: AnyTransaction, claim: Claim, response: Uint8Array): Promise<void> {
  await withTables<IdempotencyTables>(trx)
    .updateTable("idempotency_keys")
    .set({ response })
    .where("tenant_id", "=", claim.tenant_id)
    .where("method", "=", claim.method)
    .where("request_id", "=", claim.request_id)
    .execute();
}

/** The key belongs to another request, of the same or another method. */
export function idempotencyKeyReused(requestId: string): ConnectError {
  return alreadyExists(
    "IDEMPOTENCY_KEY_REUSED",
    "the key was used for another request or by another caller; use a new one for this request",
    { request_id: requestId },
  );
}

function inProgress() {
  return aborted("REQUEST_IN_PROGRESS", "a request with this key is being carried out", {
    retryAfterMs: IN_PROGRESS_RETRY_MS,
  });
}
