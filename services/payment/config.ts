import * as v from "valibot";
import { milliseconds } from "../runtime/config/scalars.ts";
import { defaultsOf } from "../runtime/config/setting.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";

/** The payment service's settings. */
export const paymentSettings = v.object({
  pollMs: milliseconds("DOCKET_PAYMENT_POLL_INTERVAL", {
    default: "500ms",
    min: "1ms",
    description: "Interval at which pending provider calls and callbacks are looked for when no event announces them.",
  }),
  providerTimeoutMs: milliseconds("DOCKET_PROVIDER_TIMEOUT", {
    default: "15s",
    min: "100ms",
    description: "Time limit of one call to a payment provider.",
  }),
  retryMaxMs: milliseconds("DOCKET_PROVIDER_RETRY_MAX", {
    default: "60s",
    min: "1ms",
    description: "Maximum pause between attempts at a provider call that got no response.",
  }),
  reconcileAfterMs: milliseconds("DOCKET_PAYMENT_RECONCILE_AFTER", {
    default: "60s",
    min: "1ms",
    description: "Time without callbacks after which the provider is asked for the state of a payment.",
  }),
  callbackPatienceMs: milliseconds("DOCKET_CALLBACK_PATIENCE", {
    default: "3d",
    description: "How long a callback waits for a payment that is not known yet.",
  }),
  sandboxDelayMs: milliseconds("DOCKET_SANDBOX_DELAY", {
    default: "20ms",
    description: "Time between the steps of a sandbox payment.",
  }),
  sandboxLateMs: milliseconds("DOCKET_SANDBOX_LATE", {
    default: "1s",
    description: "Time after its expiry at which the sandbox pays a late payment.",
  }),
});

/** Settings with defaults. */
export const paymentDefaults = {
  ...defaultsOf(paymentSettings),
  /** The provider of requests that name none. */
  defaultProvider: "sandbox",
};

/** Settings without defaults. */
interface PaymentInstallation {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** Base URL at which shoppers and providers reach this installation; the sandbox sends its callbacks there. */
  readonly publicUrl: string;
  /** Signs the sandbox's callbacks. Any text, the same in every process. */
  readonly sandboxSecret: string;
  /** Retention of the runtime's tables; defaults apply if missing. */
  readonly retention?: RetentionSettings;
}

/** Configuration of the payment service; omitted settings take their defaults. */
export type PaymentConfig = PaymentInstallation & Partial<Readonly<typeof paymentDefaults>>;
