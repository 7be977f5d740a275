import * as v from "valibot";
import { integer, milliseconds } from "../runtime/config/scalars.ts";
import { defaultsOf } from "../runtime/config/setting.ts";
import type { RetentionSettings } from "../runtime/retention/settings.ts";

/** The order service's settings. */
export const orderSettings = v.object({
  paymentDeadlineMs: milliseconds("DOCKET_PAYMENT_DEADLINE", {
    default: "30m",
    description: "Time that a shopper has to pay.",
  }),
  reservationSlackMs: milliseconds("DOCKET_RESERVATION_SLACK", {
    default: "5m",
    description: "Time for which stock is reserved beyond the payment deadline.",
  }),
  orderRetentionMs: milliseconds("DOCKET_ORDER_RETENTION", {
    otherwise: "forever",
    description: "Retention of ended orders, with their lines and timeline.",
  }),
  feedRetentionMs: milliseconds("DOCKET_FEED_RETENTION", {
    default: "7d",
    description: "Retention of the changes of orders, for watchers that reconnect.",
  }),
  importMaxRows: integer("DOCKET_IMPORT_MAX_ROWS", {
    default: 100_000,
    min: 1,
    unit: "rows",
    description: "Limit of one import. An import that exceeds a limit ends, and the response says where.",
  }),
  importMaxBytes: integer("DOCKET_IMPORT_MAX_BYTES", {
    default: 256 * 1024 * 1024,
    min: 1024,
    unit: "bytes",
    description: "Limit of one import's file after decompression.",
  }),
  importMaxMs: milliseconds("DOCKET_IMPORT_MAX_TIME", {
    default: "10m",
    description: "Time limit of one import, including the time the caller takes to send the file.",
  }),
});

export const orderDefaults = defaultsOf(orderSettings);

/** The payment providers and carriers that an order can name. */
export interface Offers {
  /** Names of payment providers, for example `sandbox`. */
  readonly paymentProviders: readonly string[];
  /** Names of carriers, for example `sandbox`. */
  readonly carriers: readonly string[];
}

/** Configuration of the order service. */
export interface OrderConfig extends v.InferOutput<typeof orderSettings>, Offers {
  /** See `OpenOptions.url`. */
  readonly databaseUrl: string;
  /** Retention of the runtime's tables; defaults apply if missing. */
  readonly retention?: RetentionSettings;
}
