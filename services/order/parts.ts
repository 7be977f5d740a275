import type { Transaction } from "kysely";
import type { InventoryService } from "../../gen/docket/inventory/v1/inventory_service_pb.js";
import type { LogisticsService } from "../../gen/docket/logistics/v1/logistics_service_pb.js";
import type { PaymentService } from "../../gen/docket/payment/v1/payment_service_pb.js";
import type { ServiceClient } from "../runtime/call/service-client.ts";
import type { Database } from "../runtime/db/connect.ts";
import type { Outbox } from "../runtime/outbox/outbox.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { Clock } from "../runtime/values/clock.ts";
import type { Ids } from "../runtime/values/ids.ts";
import type { ChangeNotifier } from "./change-notifier.ts";
import type { OrderConfig } from "./config.ts";
import type { OrderDatabase } from "./db/schema.ts";
import type { Order } from "./domain/order.ts";

/** Clients of the other services. */
export interface OrderClients {
  readonly inventory: ServiceClient<typeof InventoryService>;
  readonly payment: ServiceClient<typeof PaymentService>;
  readonly logistics: ServiceClient<typeof LogisticsService>;
}

/** Dependencies of sagas and consumers. */
export interface OrderParts {
  readonly config: OrderConfig;
  readonly db: Database<OrderDatabase>;
  readonly clients: OrderClients;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  readonly outbox: Outbox;
  /** Notified with the ids of changed orders, and with `feedSignal` when a tenant's feed grows. */
  readonly changed: ChangeNotifier;
  /** Starts the saga, under this id, that handles a late payment of an order that is over. */
  startLatePayment(trx: Transaction<OrderDatabase>, id: string, order: Order): Promise<void>;
  /** Aborted when the service drains, which ends endless streams. */
  readonly draining: AbortSignal;
}

/** The name under which `changed` signals growth of a tenant's feed. */
export function feedSignal(tenant: string): string {
  return `feed/${tenant}`;
}
