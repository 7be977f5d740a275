import type { HandlerContext } from "@connectrpc/connect";
import { sql } from "kysely";
import type { Operator } from "../../../gen/docket/admin/v1/admin_service_pb.js";
import type { DeadLetter as DeadLetterMessage } from "../../../gen/docket/operations/v1/operations_pb.js";
import { readPage } from "../api/read-page.ts";
import { readsFor } from "../api/reads-for.ts";
import type { Database } from "../db/connect.ts";
import { compileFilter, type SqlFilterField } from "../db/filter-sql.ts";
import { databaseFailure } from "../db/outward-error.ts";
import type { Consumer } from "../inbox/consumer.ts";
import { createDeadLetters, type DeadLetter } from "../inbox/dead-letters.ts";
import type { InboxTables } from "../inbox/tables.ts";
import {
  consumerRemoved,
  deadLetterIdOf,
  deadLetterNotFound,
  replayFailed,
  toDeadLetterMessage,
} from "./dead-letter-message.ts";
import { operatorCall } from "./operator-call.ts";
import type { RecordAct } from "./record-act.ts";
import type { AdminPage, AdminTarget } from "./saga-admin.ts";

export interface DeadLetterAdminOptions<DB extends InboxTables> {
  /** Name of the service. */
  readonly service: string;
  readonly db: Database<DB>;
  /** The service's consumers, which replay. */
  readonly consumers: readonly Consumer[];
  readonly record: RecordAct;
}

/** A service's dead letters, for operators. Methods throw NOT_FOUND for one that is not there or of another tenant. */
export interface DeadLetterAdmin {
  list(page: AdminPage, context: HandlerContext): Promise<{ deadLetters: DeadLetterMessage[]; more: boolean }>;
  get(target: AdminTarget): Promise<DeadLetterMessage>;
  /**
   * Replays a dead letter, see `Consumer.replay`. Audited in the transaction of its effect, so only once.
   *
   * @throws ConnectError FAILED_PRECONDITION, REPLAY_FAILED or CONSUMER_REMOVED; the dead letter is kept
   */
  replay(target: AdminTarget, operator: Operator, context: HandlerContext): Promise<DeadLetterMessage>;
}

const filterFields: Readonly<Record<string, SqlFilterField>> = {
  consumer: { type: "string", sql: sql.ref("dead_letters.consumer") },
  event_type: { type: "string", sql: sql.ref("dead_letters.event_type") },
  event_id: { type: "string", sql: sql.ref("dead_letters.message_id") },
  aggregate: { type: "string", sql: sql.ref("dead_letters.aggregate") },
  create_time: { type: "timestamp", sql: sql.ref("dead_letters.created_at") },
  replay_time: { type: "timestamp", sql: sql.ref("dead_letters.replayed_at") },
};

/** Creates the administration of a service's dead letters. */
export function createDeadLetterAdmin<DB extends InboxTables>(options: DeadLetterAdminOptions<DB>): DeadLetterAdmin {
  const { service, db, consumers, record } = options;
  const letters = createDeadLetters(db, consumers);

  const find = async ({ tenant, name }: AdminTarget): Promise<DeadLetter> => {
    const letter = await letters.get(deadLetterIdOf(name));
    if (letter === undefined || (tenant !== "" && letter.tenant !== tenant)) {
      throw deadLetterNotFound(name);
    }
    return letter;
  };
  const get = async (target: AdminTarget) => toDeadLetterMessage(service, await find(target));

  return {
    async list({ tenant, filter, beforeId, limit }, context) {
      const where = compileFilter(filter, filterFields, db.dialect);
      const reads = readsFor(db, context);
      const { rows, nextPageToken } = await readPage<DeadLetter, readonly [string]>({
        size: limit,
        query: [],
        after: beforeId === "" ? undefined : [beforeId],
        keysOf: ({ id }) => [id],
        bytesOf: ({ data, error }) => 500 + data.length + error.length,
        read: (before, most) =>
          letters.list({
            reads,
            limit: most,
            ...(tenant !== "" && { tenant }),
            ...(before && { beforeId: before[0] }),
            ...(where !== undefined && { where }),
          }),
      });
      return {
        deadLetters: rows.map((letter) => toDeadLetterMessage(service, letter)),
        more: nextPageToken !== "",
      };
    },

    get,

    async replay(target, operator, context) {
      const { name } = target;
      const letter = await find(target);
      const call = operatorCall(context, operator, letter.tenant);
      const act = { resource: name, aggregate: name, tenants: new Set([letter.tenant, operator.tenant]) };
      let replayed: boolean;
      try {
        replayed = await letters.replay(letter.id, (trx) => record(trx, call, act));
      } catch (error) {
        throw databaseFailure(error) ?? replayFailed(name, letter.consumer);
      }
      if (!replayed) {
        throw consumerRemoved(name, letter.consumer);
      }
      return get(target);
    },
  };
}
