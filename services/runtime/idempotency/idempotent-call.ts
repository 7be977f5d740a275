import { type DescMessage, type DescMethod, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { tablesOf } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import type { Clock } from "../values/clock.ts";
import type { RequestKey } from "./idempotency-key.ts";
import { hashRequest } from "./request-hash.ts";
import { type Claim, findResponse } from "./rows.ts";
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
