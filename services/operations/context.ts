import type { Database } from "../runtime/db/connect.ts";
import type { Clock } from "../runtime/values/clock.ts";
import type { Ids } from "../runtime/values/ids.ts";
import type { OperationsDatabase } from "./db/schema.ts";

/** What every RPC of the operations service works with. */
export interface OperationsContext {
  readonly db: Database<OperationsDatabase>;
  readonly clock: Clock;
  readonly ids: Ids;
}
