import { setTimeout as sleep } from "node:timers/promises";
import { type DescMessage, type DescMethod, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { Transaction } from "kysely";
import { tablesOf } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import { databaseErrorKind } from "../db/errors.ts";
import type { Clock } from "../values/clock.ts";
import type { RequestKey } from "./idempotency-key.ts";
import { hashRequest } from "./request-hash.ts";
import { type Claim, findResponse, storeResponse, takeKey } from "./rows.ts";
import type { IdempotencyTables } from "./tables.ts";

/** A call of a mutation. */
export interface IdempotentCall<Input extends DescMessage, Output extends DescMessage> {
  tenant: string;
  method: DescMethod & { input: Input; output: Output };
  /** The idempotency key, see `idempotencyKeyOf`. Without one the mutation is executed unconditionally. */
  requestId: RequestKey | undefined;
  request: MessageShape<Input>;
  clock: Clock;
  signal?: AbortSignal | undefined;
}

/** A mutation in two phases. */
export interface Mutation<DB, Prepared, Response> {
  /** Work before the transaction, such as calls of other services. Runs once per call, for a replay too. */
  prepare(): Promise<Prepared>;
  /** Writes the effect. Awaits nothing but the transaction, which may be repeated. */
  commit(trx: Transaction<DB>, prepared: Prepared): Promise<Response>;
}

const MAX_LOOKUPS = 5;
const LOOKUP_PAUSE_MS = 200;

/**
 * Executes a mutation in a transaction, together with its key, the request's hash and the response: all are committed,
 * or none. The same key with the same request of the same caller returns the stored response, in any process, without
 * a second commit; whether `prepare` succeeds does not matter then. A concurrent call with the key is waited for.
 *
 * A mutation with nothing to prepare is just its commit, which is retried like a function of `Database.transaction`. If
 * a phase throws, the key stays unused. If the response to COMMIT is lost, the key is looked up, so that a mutation with
 * a key is never executed twice and never reported as lost if it was committed.
 *
 * @throws ConnectError ALREADY_EXISTS, reason IDEMPOTENCY_KEY_REUSED, if the key belongs to another caller or to
 * another request, of any method; ABORTED, reason REQUEST_IN_PROGRESS, with RetryInfo, if the other call takes longer
 * than the lock wait timeout.
 */
export async function idempotent<
  DB extends IdempotencyTables,
  Input extends DescMessage,
  Output extends DescMessage,
  Prepared,
>(
  db: Database<DB>,
  call: IdempotentCall<Input, Output>,
  mutation: Mutation<DB, Prepared, MessageShape<Output>> | Commit<DB, MessageShape<Output>>,
): Promise<MessageShape<Output>> {
  const { signal, requestId } = call;
  if (requestId === undefined) {
    const commit = await prepared(mutation);
    return db.transaction(commit, { signal });
  }
  const claim = claimOf(call, requestId);
  const [preparation] = await Promise.allSettled([prepared(mutation)]);
  const execute = async (trx: Transaction<DB>) => {
    const stored = await takeKey(trx, claim);
    if (stored) {
      return fromBinary(call.method.output, stored);
    }
    if (preparation.status === "rejected") {
      throw preparation.reason;
    }
    const response = await preparation.value(trx);
    await storeResponse(trx, claim, toBinary(call.method.output, response));
    return response;
  };
  for (let lookup = 1; ; lookup++) {
    try {
      return await db.transaction(execute, { signal });
    } catch (error) {
      if (databaseErrorKind(error) !== "commit-unknown" || lookup >= MAX_LOOKUPS) {
        throw error;
      }
    }
    await sleep(LOOKUP_PAUSE_MS * lookup, undefined, { signal });
  }
}

type Commit<DB, Response> = (trx: Transaction<DB>) => Promise<Response>;

/** Runs the first phase of a mutation, and returns its second. */
async function prepared<DB, Prepared, Response>(
  mutation: Mutation<DB, Prepared, Response> | Commit<DB, Response>,
): Promise<Commit<DB, Response>> {
  if (typeof mutation === "function") {
    return mutation;
  }
  const value = await mutation.prepare();
  return (trx) => mutation.commit(trx, value);
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

/** The key of a call, with the hash of its request. */
export function claimOf<Input extends DescMessage, Output extends DescMessage>(
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
