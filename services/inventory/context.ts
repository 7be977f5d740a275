import type { Commands } from "../runtime/commands/command.ts";
import type { Database } from "../runtime/db/connect.ts";
import type { Outbox } from "../runtime/outbox/outbox.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { Clock } from "../runtime/values/clock.ts";
import type { InventoryDatabase } from "./db/schema.ts";

/** Dependencies of the inventory service's RPCs and consumers. */
export interface InventoryContext {
  readonly db: Database<InventoryDatabase>;
  /** Processes frequent changes in batches. Rare changes use a transaction of `db` each. */
  readonly commands: Commands;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly log: Logger;
}
