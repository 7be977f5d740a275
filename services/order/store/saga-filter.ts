import { type SqlBool, sql } from "kysely";
import type { SqlFilterField } from "../../runtime/db/filter-sql.ts";
import type { SagaStatus } from "../../runtime/saga/saga.ts";
import { endStates } from "../domain/anonymize.ts";

const states = {
  RUNNING: "RUNNING",
  WAITING: "WAITING",
  PAUSED: "PAUSED",
  COMPENSATING: "COMPENSATING",
  SUCCEEDED: "SUCCEEDED",
  COMPENSATED: "COMPENSATED",
  NEEDS_ATTENTION: "NEEDS_ATTENTION",
} satisfies { [Status in SagaStatus]: Status };

/** The fields that sagas can be filtered by. */
export const sagaFilterFields: Readonly<Record<string, SqlFilterField>> = {
  state: { type: "enum", values: states, sql: sql.ref("sagas.status") },
  definition: { type: "string", sql: sql.ref("sagas.definition") },
  aggregate: { type: "string", sql: sql.ref("sagas.aggregate") },
  create_time: { type: "timestamp", sql: sql.ref("sagas.created_at") },
};

/**
 * Whether the order of a saga has ended, over a query of the table `sagas`: until then CancelOrder may compensate the
 * saga, even one that succeeded long ago.
 */
export const orderHasEnded = sql<SqlBool>`not exists (
  select 1 from orders
  where orders.tenant_id = sagas.tenant_id and orders.id = substr(sagas.aggregate, 8)
    and orders.state not in (${sql.join([...endStates])}))`;
