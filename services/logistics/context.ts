import type { OrderService } from "../../gen/docket/order/v1/order_service_pb.js";
import type { ServiceClient } from "../runtime/call/service-client.ts";
import type { CallbackInbox } from "../runtime/callbacks/callback-inbox.ts";
import type { Database } from "../runtime/db/connect.ts";
import type { Outbox } from "../runtime/outbox/outbox.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { Backoff } from "../runtime/values/backoff.ts";
import type { Clock } from "../runtime/values/clock.ts";
import type { Ids } from "../runtime/values/ids.ts";
import type { Carrier } from "./carriers/carrier.ts";
import type { LogisticsDatabase } from "./db/schema.ts";

/** The services that logistics needs. */
export interface LogisticsClients {
  readonly order: ServiceClient<typeof OrderService>;
}

/** What every RPC and worker of the logistics service works with. */
export interface LogisticsContext {
  readonly db: Database<LogisticsDatabase>;
  readonly outbox: Outbox;
  readonly clients: LogisticsClients;
  readonly carriers: ReadonlyMap<string, Carrier>;
  readonly defaultCarrier: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: () => number;
  readonly log: Logger;
  readonly timing: LogisticsTiming;
  /** Wakes what works with carriers; a hint, as it also looks by itself. */
  readonly nudgeShipments: () => void;
  /** What carriers send. */
  readonly callbacks: CallbackInbox<LogisticsDatabase>;
}

/** In milliseconds. */
export interface LogisticsTiming {
  /** How long one call of a carrier may take. Work on a shipment is leased for twice as long. */
  readonly carrierTimeoutMs: number;
  /** The pauses between attempts at what a carrier did not answer. */
  readonly retry: Backoff;
  /** After how long without news a carrier is asked where a shipment is. */
  readonly pollAfterMs: number;
  /** After how long without news a shipment is EXPIRED. */
  readonly expireAfterMs: number;
  /** How long a caller of CancelShipment waits for the carrier's answer: less than callers wait for ours. */
  readonly cancelWaitMs: number;
}
