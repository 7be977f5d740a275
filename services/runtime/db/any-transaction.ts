import type { Kysely, QueryExecutorProvider, Transaction } from "kysely";

/**
 * A running transaction of a database of any schema, for the runtime's own tables (outbox, inbox, sagas), which exist
 * in every service's database. The compiler rejects a plain database handle.
 */
export interface AnyTransaction extends QueryExecutorProvider {
  readonly isTransaction: true;
}

/**
 * Types the transaction with the runtime's tables. The caller guarantees that the database has them: a service includes
 * their migrations in its own.
 */
export function withTables<Tables>(trx: AnyTransaction): Transaction<Tables> {
  return trx as unknown as Transaction<Tables>;
}

/** Types a database handle, in a transaction or not, with these tables. The caller guarantees that they exist. */
export function tablesOf<Tables>(kysely: QueryExecutorProvider): Kysely<Tables> {
  return kysely as unknown as Kysely<Tables>;
}
