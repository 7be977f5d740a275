import type { InventoryService } from "../../gen/docket/inventory/v1/inventory_service_pb.js";
import type { LogisticsService } from "../../gen/docket/logistics/v1/logistics_service_pb.js";
import type { PaymentService } from "../../gen/docket/payment/v1/payment_service_pb.js";
import type { ServiceClient } from "../runtime/call/service-client.ts";
import type { Commands } from "../runtime/commands/command.ts";
import type { CommandsInTransaction } from "../runtime/commands/in-transaction.ts";
import type { Database } from "../runtime/db/connect.ts";
import type { Outbox } from "../runtime/outbox/outbox.ts";
import type { Sagas } from "../runtime/saga/saga-client.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { Clock } from "../runtime/values/clock.ts";
import type { Ids } from "../runtime/values/ids.ts";
import type { ChangeNotifier } from "./change-notifier.ts";
import type { OrderConfig } from "./config.ts";
import type { OrderDatabase } from "./db/schema.ts";
import type { FeedTail } from "./feed-tail.ts";
import type { OrderReads } from "./store/order-reads.ts";

/** Clients of the other services. */
export interface OrderClients {
  readonly inventory: ServiceClient<typeof InventoryService>;
  readonly payment: ServiceClient<typeof PaymentService>;
  readonly logistics: ServiceClient<typeof LogisticsService>;
}

/** Dependencies of the order service's RPCs, consumers and sagas. */
export interface OrderContext {
  readonly config: OrderConfig;
  readonly db: Database<OrderDatabase>;
  /** Reads single orders. Lists and filters read `db`. */
  readonly reads: OrderReads;
  /** Writes orders in batches. */
  readonly commands: Commands;
  /** Writes orders in a transaction that also writes sagas or messages. */
  readonly runCommands: CommandsInTransaction<OrderDatabase>;
  readonly clients: OrderClients;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  readonly outbox: Outbox;
  readonly sagas: Sagas;
  /** Notified with the ids of changed orders, and with `feedSignal` when a tenant's feed grows. */
  readonly changed: ChangeNotifier;
  readonly feedTail: FeedTail;
  /** Aborted when the service drains, which ends endless streams. */
  readonly draining: AbortSignal;
}
