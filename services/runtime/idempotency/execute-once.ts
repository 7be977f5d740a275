import { setTimeout as sleep } from "node:timers/promises";
import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { Command, Commands } from "../commands/command.ts";
import { defineMapping } from "../commands/mapping.ts";
import { rejecting } from "../commands/rejecting.ts";
import { defineTable } from "../commands/table.ts";
import { databaseErrorKind } from "../db/errors.ts";
import { claimOf, type IdempotentCall } from "./idempotent-call.ts";
import { readResponse } from "./rows.ts";
import type { IdempotencyKeysTable } from "./tables.ts";

/** The keys of completed mutations: a row is inserted with its response and never changes. */
const idempotencyKeys = defineMapping({
  root: defineTable<IdempotencyKeysTable>({
    name: "idempotency_keys",
    key: ["tenant_id", "method", "request_id"],
    columns: ["tenant_id", "method", "request_id", "request_hash", "response", "created_at"],
  }),
  unique: { request: ["tenant_id", "request_id"] },
  keyOf: ({ tenant_id, method, request_id }: IdempotencyKeysTable) => [tenant_id, method, request_id] as const,
  fromRows: (row) => row,
  toRow: (row) => row,
});

const MAX_LOOKUPS = 5;
const LOOKUP_PAUSE_MS = 200;

/**
 * Executes a command at most once per idempotency key. The key and the response are rows of the command, so they are
 * stored with its effect or not at all. The same key with the same request of the same caller returns the stored
 * response, in any process, without running `decide`; a command that throws leaves its key unused. Without a key the
 * command is executed unconditionally.
 *
 * If the response to COMMIT is lost, the command is repeated, which finds its own key if the batch was committed.
 *
 * @throws ConnectError ALREADY_EXISTS, reason IDEMPOTENCY_KEY_REUSED, if the key belongs to another caller or to
 * another request, of any method
 */
export async function executeOnce<Input extends DescMessage, Output extends DescMessage>(
  commands: Commands,
  call: IdempotentCall<Input, Output>,
  command: Command<MessageShape<Output>>,
): Promise<MessageShape<Output>> {
  const { requestId, signal } = call;
  if (requestId === undefined) {
    return commands.execute(command, { signal, tenant: call.tenant });
  }
  const { output } = call.method;
  const claim = claimOf(call, requestId);
  const request = [claim.tenant_id, claim.request_id];
  const once: Command<MessageShape<Output>> = {
    keys(need) {
      need.freshBy(idempotencyKeys, "request", request);
      command.keys(need);
    },
    decide(batch) {
      const stored = readResponse(batch.find(idempotencyKeys, "request", request), claim);
      if (stored !== undefined) {
        return fromBinary(output, stored);
      }
      const response = command.decide(batch);
      batch.insert(idempotencyKeys, { ...claim, response: toBinary(output, response) });
      return response;
    },
  };
  for (let lookup = 1; ; lookup++) {
    try {
      return await commands.execute(once, { signal, tenant: call.tenant });
    } catch (error) {
      if (databaseErrorKind(error) !== "commit-unknown" || lookup >= MAX_LOOKUPS) {
        throw error;
      }
    }
    await sleep(LOOKUP_PAUSE_MS * lookup, undefined, { signal });
  }
}

/** A command with work before it, such as calls of other services. */
export interface PreparedMutation<Prepared, Response> {
  /** Runs once per call, for a replay too. */
  prepare(): Promise<Prepared>;
  command(prepared: Prepared): Command<Response>;
}

/**
 * Like {@link executeOnce}, for a command that needs preparation. If `prepare` rejects, so does the call, unless a
 * response is stored under its key.
 */
export async function prepareAndExecuteOnce<Input extends DescMessage, Output extends DescMessage, Prepared>(
  commands: Commands,
  call: IdempotentCall<Input, Output>,
  { prepare, command }: PreparedMutation<Prepared, MessageShape<Output>>,
): Promise<MessageShape<Output>> {
  const [preparation] = await Promise.allSettled([prepare()]);
  return executeOnce(
    commands,
    call,
    preparation.status === "fulfilled" ? command(preparation.value) : rejecting(preparation.reason),
  );
}
