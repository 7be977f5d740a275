/** Entry point of the package. The API's messages are in `@docket/sdk/order`, `/inventory`, `/payment`, …. */
export { createDocket, type Docket, type DocketOptions, type PlaceOrderOptions } from "./docket.ts";
export { DocketError, type ErrorCode } from "./errors.ts";
export type { ImportOptions, ImportSource } from "./import-orders.ts";
export { formatMoney, money } from "./money.ts";
export type { Paged } from "./pages.ts";
export { plain } from "./plain.ts";
export type { RetryOptions } from "./retry.ts";
export type { WatchOptions } from "./watch-orders.ts";
export { verifyWebhook, type WebhookEvent } from "./webhooks.ts";
