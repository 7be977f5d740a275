import type { Database } from "../runtime/db/connect.ts";
import type { Clock } from "../runtime/values/clock.ts";
import type { Ids } from "../runtime/values/ids.ts";
import type { OperationsDatabase } from "./db/schema.ts";

/** Dependencies of the operations service's RPCs. */
export interface OperationsContext {
  readonly db: Database<OperationsDatabase>;
  readonly clock: Clock;
  readonly ids: Ids;
}
