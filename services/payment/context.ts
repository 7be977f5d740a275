import type { CallbackInbox } from "../runtime/callbacks/callback-inbox.ts";
import type { Database } from "../runtime/db/connect.ts";
import type { Outbox } from "../runtime/outbox/outbox.ts";
import type { Logger } from "../runtime/telemetry/log.ts";
import type { Backoff } from "../runtime/values/backoff.ts";
import type { Clock } from "../runtime/values/clock.ts";
import type { Ids } from "../runtime/values/ids.ts";
import type { PaymentDatabase } from "./db/schema.ts";
import type { PaymentProvider } from "./providers/payment-provider.ts";

/** What every RPC and worker of the payment service works with. */
export interface PaymentContext {
  readonly db: Database<PaymentDatabase>;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: () => number;
  readonly log: Logger;
  readonly providers: ReadonlyMap<string, PaymentProvider>;
  readonly defaultProvider: string;
  readonly timing: PaymentTiming;
  /** What providers send. */
  readonly callbacks: CallbackInbox<PaymentDatabase>;
  /**
   * When operations that follow from a change are due: at once, unless whoever makes the change carries them out himself
   * and keeps the workers off meanwhile.
   */
  readonly followUpDelayMs: number;
  /** Wakes what carries operations out; a hint, as it also looks by itself. */
  readonly nudgeOperations: () => void;
}

export interface PaymentTiming {
  /** How long one call of a provider may take. An operation is leased for twice as long. */
  readonly providerTimeoutMs: number;
  /** The pauses between attempts at an operation whose outcome is not known. */
  readonly retry: Backoff;
  /** After how long without news a provider is asked how a payment stands, and how rarely at last. */
  readonly poll: Backoff;
}
