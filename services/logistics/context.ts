import type { OrderService } from "../../gen/docket/order/v1/order_service_pb.js";
import type { ServiceClient } from "../runtime/call/service-client.ts";
import type { CallbackInbox } from "../runtime/callbacks/callback-inbox.ts";
import type { CommandStore } from "../runtime/callbacks/command-store.ts";
import type { Commands } from "../runtime/commands/command.ts";
import type { Live } from "../runtime/config/live.ts";
import type { Database } from "../runtime/db/connect.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { Backoff } from "../runtime/values/backoff.ts";
import type { Clock } from "../runtime/values/clock.ts";
import type { Ids } from "../runtime/values/ids.ts";
import type { Carrier, CarrierReport } from "./carriers/carrier.ts";
import type { LogisticsDatabase } from "./db/schema.ts";

/** Clients for the services that logistics calls. */
export interface LogisticsClients {
  readonly order: ServiceClient<typeof OrderService>;
}

/** Dependencies of the logistics service's RPCs and workers. */
export interface LogisticsContext {
  readonly db: Database<LogisticsDatabase>;
  readonly commands: Commands;
  readonly clients: LogisticsClients;
  readonly carriers: ReadonlyMap<string, Carrier>;
  readonly defaultCarrier: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: () => number;
  readonly log: Logger;
  readonly timing: Live<LogisticsTiming>;
  /** Wakes the shipment worker. Best effort: the worker also polls. */
  readonly nudgeShipments: () => void;
  /** Inbox of carrier callbacks. */
  readonly callbacks: CallbackInbox<CarrierReport>;
  /** The store of `callbacks`. */
  readonly callbackStore: CommandStore<CarrierReport>;
}

/** Times in milliseconds. */
export interface LogisticsTiming {
  /** Timeout of one carrier call. */
  readonly carrierTimeoutMs: number;
  /** Lease of a claim, renewed while its carrier call runs. Shorter than `cancelWaitMs`. */
  readonly claimLeaseMs: number;
  /** Retry policy for failed carrier calls. */
  readonly retry: Backoff;
  /** Time without an update after which a shipment is tracked by polling its carrier. */
  readonly pollAfterMs: number;
  /** Time without an update after which a shipment becomes EXPIRED. */
  readonly expireAfterMs: number;
  /** How long CancelShipment waits for the carrier's response. Shorter than the callers' deadlines. */
  readonly cancelWaitMs: number;
}
