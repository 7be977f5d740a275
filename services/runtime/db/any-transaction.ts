import type { Kysely, QueryExecutorProvider, Transaction } from "kysely";

/**
 * A running transaction of a database of any schema: what the runtime's own tables (outbox, inbox, sagas) need,
 * as they live in every service's database. A plain database handle is refused by the compiler.
 */
export interface AnyTransaction extends QueryExecutorProvider {
  readonly isTransaction: true;
}

/**
 * The same transaction with the runtime's tables in its type. The caller vouches that the database has them: a service
 * lists their migrations in its own.
 */
export function withTables<Tables>(trx: AnyTransaction): Transaction<Tables> {
  return trx as unknown as Transaction<Tables>;
}

/** A handle of a database, in a transaction or not, with the tables in its type. The caller vouches alike. */
export function tablesOf<Tables>(kysely: QueryExecutorProvider): Kysely<Tables> {
  return kysely as unknown as Kysely<Tables>;
}
