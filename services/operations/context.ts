import type { Clock } from "../runtime/clock.ts";
import type { Database } from "../runtime/db/connect.ts";
import type { Ids } from "../runtime/ids.ts";
import type { OperationsDatabase } from "./db/schema.ts";

/** What every RPC of the operations service works with. */
export interface OperationsContext {
  readonly db: Database<OperationsDatabase>;
  readonly clock: Clock;
  readonly ids: Ids;
}
