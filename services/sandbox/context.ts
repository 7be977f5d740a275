import type { Live } from "../runtime/config/live.ts";
import type { Database } from "../runtime/db/connect.ts";
import type { Clock } from "../runtime/values/clock.ts";
import type { Ids } from "../runtime/values/ids.ts";
import type { WebhookSender } from "../runtime/webhooks/webhook-sender.ts";
import type { SandboxDatabase } from "./db/schema.ts";

/** Dependencies of the sandbox's RPCs. */
export interface SandboxContext {
  readonly db: Database<SandboxDatabase>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly sender: WebhookSender;
  readonly apiKey: string;
  /** Base URL at which shoppers reach the payment page. */
  readonly publicUrl: () => string;
  readonly timing: Live<{
    /** Time between the steps of a payment. */
    readonly delayMs: number;
    /** Time after expiry at which late payments are paid. */
    readonly lateMs: number;
    /** Time between two stages of a parcel. */
    readonly stepMs: number;
  }>;
}
