import type { RetentionSettings } from "../runtime/retention/settings.ts";

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

/** Settings with defaults. */
export const paymentDefaults = {
  /** The provider of requests that name none. */
  defaultProvider: "sandbox",
  /** Poll interval of the workers. */
  pollMs: 500,
  /** Timeout of a call to a provider. */
  providerTimeoutMs: 15_000,
  /** Maximum pause between attempts at an operation without a response. */
  retryMaxMs: 60_000,
  /** Time without callbacks after which the provider is polled for a payment's state. */
  reconcileAfterMs: 60_000,
  /** How long a callback waits for an unknown payment. */
  callbackPatienceMs: 3 * 24 * 60 * 60_000,
  /** Time between the steps of a sandbox payment. */
  sandboxDelayMs: 20,
  /** Time after expiry at which the sandbox pays late payments. */
  sandboxLateMs: 1_000,
} satisfies Readonly<Record<string, number | string>>;

type PaymentSettings = Readonly<typeof paymentDefaults>;

/** Settings of the payment service; omitted ones take their defaults. */
export type PaymentConfig = PaymentInstallation & Partial<PaymentSettings>;
