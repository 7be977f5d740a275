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

/** The services that an order needs. */
export interface OrderClients {
  readonly inventory: ServiceClient<typeof InventoryService>;
  readonly payment: ServiceClient<typeof PaymentService>;
  readonly logistics: ServiceClient<typeof LogisticsService>;
}

/** What sagas and consumers work with. */
export interface OrderParts {
  readonly config: OrderConfig;
  readonly db: Database<OrderDatabase>;
  readonly clients: OrderClients;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  readonly outbox: Outbox;
  /** Told of orders by their ids, and of a tenant's feed by `feedSignal`. */
  readonly changed: ChangeNotifier;
  /** Begins the saga that takes care of money that came when the order was over, under this id. */
  startLatePayment(trx: Transaction<OrderDatabase>, id: string, order: Order): Promise<void>;
  /** Aborted when the service drains: streams without an end of their own end then. */
  readonly draining: AbortSignal;
}

/** The name under which `changed` tells that a tenant's feed has grown. */
export function feedSignal(tenant: string): string {
  return `feed/${tenant}`;
}
