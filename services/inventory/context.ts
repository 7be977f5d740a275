import type { Commands } from "../runtime/commands/command.ts";
import type { Database } from "../runtime/db/connect.ts";
import type { Outbox } from "../runtime/outbox/outbox.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { Clock } from "../runtime/values/clock.ts";
import type { InventoryDatabase } from "./db/schema.ts";

/** What every RPC and consumer of the inventory service works with. */
export interface InventoryContext {
  readonly db: Database<InventoryDatabase>;
  /** For changes that are frequent; rare ones have a transaction of `db` each. */
  readonly commands: Commands;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly log: Logger;
}
