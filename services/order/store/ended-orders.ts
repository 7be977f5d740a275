import { type SqlBool, sql } from "kysely";
import { endStates } from "../domain/anonymize.ts";

/**
 * Whether the order of a saga has ended, over a query of the table `sagas`: until then CancelOrder may compensate the
 * saga, even one that succeeded long ago.
 */
export const orderHasEnded = sql<SqlBool>`not exists (
  select 1 from orders
  where orders.tenant_id = sagas.tenant_id and orders.id = substr(sagas.aggregate, 8)
    and orders.state not in (${sql.join([...endStates])}))`;
