import { type QueryExecutorProvider, type RawBuilder, type SqlBool, sql } from "kysely";
import { type AnyTransaction, tablesOf } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import type { Consumer } from "./consumer.ts";
import type { DeadLetterRow } from "./dead-letter-rows.ts";
import type { InboxTables } from "./tables.ts";

/** A dead letter, as shown to operators. */
export interface DeadLetter {
  readonly id: string;
  readonly tenant: string;
  readonly consumer: string;
  readonly messageId: string;
  readonly eventType: string;
  readonly aggregate: string;
  readonly data: Uint8Array;
  readonly error: string;
  readonly attempts: number;
  readonly createdAt: number;
  readonly replayedAt?: number;
}

/** A page of dead letters, newest first. */
export interface DeadLetterQuery {
  /** A handle of `Database.reading`, for reads on behalf of a caller. Default: the database itself. */
  readonly reads?: QueryExecutorProvider;
  /** Default: all tenants. */
  readonly tenant?: string;
  readonly limit: number;
  /** Only ids below this one, the last of the previous page. */
  readonly beforeId?: string;
  /** A condition on the columns of `dead_letters`, for example a compiled filter. */
  readonly where?: RawBuilder<SqlBool>;
}

/** The dead letters of a database. */
export interface DeadLetters {
  get(id: string): Promise<DeadLetter | undefined>;
  list(query: DeadLetterQuery): Promise<DeadLetter[]>;
  /**
   * Replays a letter with its consumer, see `Consumer.replay`. False if the letter or its consumer does not exist here.
   */
  replay(id: string, alongside?: (trx: AnyTransaction) => Promise<void>): Promise<boolean>;
}

/** Creates the dead letters of a database, with the consumers that can replay them. */
export function createDeadLetters<DB extends InboxTables>(
  db: Database<DB>,
  consumers: readonly Consumer[],
): DeadLetters {
  const tables = tablesOf<InboxTables>(db.kysely);
  const consumerOf = new Map(consumers.map((consumer) => [consumer.name, consumer]));
  const find = (id: string) => tables.selectFrom("dead_letters").selectAll().where("id", "=", id).executeTakeFirst();
  return {
    async get(id) {
      const row = await find(id);
      return row && deadLetterOf(row);
    },
    async list({ reads, tenant, limit, beforeId, where }) {
      const rows = await (reads ? tablesOf<InboxTables>(reads) : tables)
        .selectFrom("dead_letters")
        .selectAll()
        .$if(tenant !== undefined, (query) => query.where("tenant_id", "=", tenant ?? ""))
        .$if(beforeId !== undefined, (query) => query.where("id", "<", beforeId ?? ""))
        .$if(where !== undefined, (query) => query.where(where ?? sql<SqlBool>`1 = 1`))
        .orderBy("id", "desc")
        .limit(limit)
        .execute();
      return rows.map(deadLetterOf);
    },
    async replay(id, alongside) {
      const row = await find(id);
      return (row && (await consumerOf.get(row.consumer)?.replay(id, alongside))) ?? false;
    },
  };
}

function deadLetterOf(row: DeadLetterRow): DeadLetter {
  return {
    id: row.id,
    tenant: row.tenant_id,
    consumer: row.consumer,
    messageId: row.message_id,
    eventType: row.event_type,
    aggregate: row.aggregate,
    data: row.data,
    error: row.error,
    attempts: row.attempts,
    createdAt: row.created_at,
    ...(row.replayed_at === null ? {} : { replayedAt: row.replayed_at }),
  };
}
