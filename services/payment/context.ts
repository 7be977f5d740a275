import type { CallbackInbox } from "../runtime/callbacks/callback-inbox.ts";
import type { CommandStore } from "../runtime/callbacks/command-store.ts";
import type { Commands } from "../runtime/commands/command.ts";
import type { Live } from "../runtime/config/live.ts";
import type { Database } from "../runtime/db/connect.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { Backoff } from "../runtime/values/backoff.ts";
import type { Clock } from "../runtime/values/clock.ts";
import type { Ids } from "../runtime/values/ids.ts";
import type { PaymentDatabase } from "./db/schema.ts";
import type { ProviderReport } from "./domain/provider-report.ts";
import type { PaymentProvider } from "./providers/payment-provider.ts";

/** Dependencies of the payment service's RPCs and workers. */
export interface PaymentContext {
  readonly db: Database<PaymentDatabase>;
  readonly commands: Commands;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: () => number;
  readonly log: Logger;
  readonly providers: ReadonlyMap<string, PaymentProvider>;
  readonly defaultProvider: string;
  readonly timing: Live<PaymentTiming>;
  /** The inbox of provider callbacks. */
  readonly callbacks: CallbackInbox<readonly ProviderReport[]>;
  /** The store of `callbacks`. */
  readonly callbackStore: CommandStore<readonly ProviderReport[]>;
  /**
   * When follow-up operations of a change are due: at once, unless the process that makes the change executes them
   * itself and holds a lease against the workers.
   */
  readonly followUpDelayMs: number;
  /** Wakes the operation worker. Best effort: the worker also polls. */
  readonly nudgeOperations: () => void;
}

export interface PaymentTiming {
  /** Timeout of a call to a provider. An operation is leased for twice as long. */
  readonly providerTimeoutMs: number;
  /** Backoff between attempts at an operation whose outcome is unknown. */
  readonly retry: Backoff;
  /** Poll intervals for a payment without callbacks: the first and the maximum. */
  readonly poll: Backoff;
}
