import type { RetentionSettings } from "../runtime/retention/settings.ts";

/** What only the installation knows. */
interface PaymentInstallation {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** Where shoppers and providers reach this installation; the sandbox's callbacks go there. */
  readonly publicUrl: string;
  /** Signs the sandbox's callbacks. Any text, the same in every process. */
  readonly sandboxSecret: string;
  /** How long the runtime's tables are kept; the defaults stand where it is missing. */
  readonly retention?: RetentionSettings;
}

/** What works as it is. */
export const paymentDefaults = {
  /** Takes the money where a caller names no provider. */
  defaultProvider: "sandbox",
  /** How often workers look without being woken. */
  pollMs: 500,
  /** How long one call of a provider may take. */
  providerTimeoutMs: 15_000,
  /** The longest pause between attempts at what a provider did not answer. */
  retryMaxMs: 60_000,
  /** After how long without news a provider is asked how a payment stands. */
  reconcileAfterMs: 60_000,
  /** How long a callback waits for a payment that is not known. */
  callbackPatienceMs: 3 * 24 * 60 * 60_000,
  /** How long the sandbox takes from one step of a payment to the next. */
  sandboxDelayMs: 20,
  /** How long after its expiry the sandbox pays what is to be paid late. */
  sandboxLateMs: 1_000,
} satisfies Readonly<Record<string, number | string>>;

type PaymentSettings = Readonly<typeof paymentDefaults>;

/** What the payment service needs to know; the defaults stand for what is not given. */
export type PaymentConfig = PaymentInstallation & Partial<PaymentSettings>;
