import * as v from "valibot";
import { milliseconds } from "../runtime/config/scalars.ts";
import { defaultsOf } from "../runtime/config/setting.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";
import type { ProviderSettings } from "./providers.ts";

/** The payment service's settings. */
export const paymentSettings = v.object({
  pollMs: milliseconds("DOCKET_PAYMENT_POLL_INTERVAL", {
    default: "500ms",
    min: "1ms",
    description: "Interval at which pending provider calls and callbacks are looked for when no event announces them.",
  }),
  providerTimeoutMs: milliseconds("DOCKET_PROVIDER_TIMEOUT", {
    live: true,
    default: "15s",
    min: "100ms",
    description: "Time limit of one call to a payment provider.",
  }),
  retryMaxMs: milliseconds("DOCKET_PROVIDER_RETRY_MAX", {
    live: true,
    default: "60s",
    min: "1ms",
    description: "Maximum pause between attempts at a provider call that got no response.",
  }),
  reconcileAfterMs: milliseconds("DOCKET_PAYMENT_RECONCILE_AFTER", {
    live: true,
    default: "60s",
    min: "1ms",
    description: "Time without callbacks after which the provider is asked for the state of a payment.",
  }),
  callbackPatienceMs: milliseconds("DOCKET_CALLBACK_PATIENCE", {
    default: "3d",
    description: "How long a callback waits for a payment that is not known yet.",
  }),
});

/** Settings with defaults. */
export const paymentDefaults = defaultsOf(paymentSettings);

/** Settings without defaults. */
interface PaymentInstallation {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** Names of the providers to use; see `providers.ts`. The first one is that of requests that name none. */
  readonly providers: readonly string[];
  readonly providerSettings: ProviderSettings;
  /** Retention of the runtime's tables; defaults apply if missing. */
  readonly retention?: RetentionSettings;
}

/** Configuration of the payment service; omitted settings take their defaults. */
export type PaymentConfig = PaymentInstallation & Partial<Readonly<typeof paymentDefaults>>;
