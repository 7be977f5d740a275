import type { Database } from "../runtime/db/connect.ts";
import type { Outbox } from "../runtime/outbox/outbox.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { Clock } from "../runtime/values/clock.ts";
import type { InventoryDatabase } from "./db/schema.ts";

/** What every RPC and consumer of the inventory service works with. */
export interface InventoryContext {
  readonly db: Database<InventoryDatabase>;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly log: Logger;
}
