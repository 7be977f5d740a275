import * as v from "valibot";
import { milliseconds } from "../runtime/config/scalars.ts";
import { defaultsOf } from "../runtime/config/setting.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";

/** The sandbox's settings. */
export const sandboxSettings = v.object({
  delayMs: milliseconds("DOCKET_SANDBOX_DELAY", {
    live: true,
    default: "20ms",
    description: "Time between the steps of a sandbox payment.",
  }),
  lateMs: milliseconds("DOCKET_SANDBOX_LATE", {
    live: true,
    default: "1s",
    description: "Time after its expiry at which the sandbox pays a late payment.",
  }),
  stepMs: milliseconds("DOCKET_SANDBOX_CARRIER_STEP", {
    live: true,
    default: "1500ms",
    description: "Time between two stages of a sandbox parcel.",
  }),
});

/** Settings without defaults. */
interface SandboxInstallation {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** Base URL at which shoppers reach the payment page, and at which callbacks are received; read on each use. */
  readonly publicUrl: () => string;
  /** The key with which merchants authenticate. */
  readonly apiKey: string;
  /** Signs the callbacks about payments: `whsec_` followed by base64 of 24 to 64 bytes. */
  readonly paymentSecret: string;
  /** Signs the callbacks about parcels, in the same form. */
  readonly carrierSecret: string;
  /** Retention of the tables; defaults apply if missing. */
  readonly retention?: RetentionSettings;
}

export const sandboxDefaults = defaultsOf(sandboxSettings);

/** Settings of the sandbox; omitted ones take their defaults. */
export type SandboxConfig = SandboxInstallation & Partial<Readonly<typeof sandboxDefaults>>;
