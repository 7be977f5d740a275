import { sql } from "kysely";
import type { SqlFilterField } from "../../runtime/db/filter-sql.ts";
import type { SagaStatus } from "../../runtime/saga/saga.ts";

const states = {
  RUNNING: "RUNNING",
  WAITING: "WAITING",
  PAUSED: "PAUSED",
  COMPENSATING: "COMPENSATING",
  SUCCEEDED: "SUCCEEDED",
  COMPENSATED: "COMPENSATED",
  NEEDS_ATTENTION: "NEEDS_ATTENTION",
} satisfies { [Status in SagaStatus]: Status };

/** What sagas can be filtered by. */
export const sagaFilterFields: Readonly<Record<string, SqlFilterField>> = {
  state: { type: "enum", values: states, sql: sql.ref("sagas.status") },
  definition: { type: "string", sql: sql.ref("sagas.definition") },
  aggregate: { type: "string", sql: sql.ref("sagas.aggregate") },
  create_time: { type: "timestamp", sql: sql.ref("sagas.created_at") },
};
