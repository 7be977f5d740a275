import type { CallbackSource } from "../../runtime/callbacks/callback-source.ts";
import type { Amount } from "../../runtime/values/money.ts";
import type { ProviderReport } from "../domain/provider-report.ts";

/**
 * The port to a payment provider. Every implementation passes `payment-provider-suite.ts`.
 *
 * - Each request carries a key. Repeating a request with its key has no further effect and returns the current state.
 * - A rejected promise means that the outcome is unknown: the caller retries with the same key until it gets a response.
 *   A definite rejection resolves with `refused`.
 * - Every response reports the state of the whole payment, as callbacks and `fetch` do; all are merged alike. A callback
 *   that is not about a payment has no reports.
 */
export interface PaymentProvider extends CallbackSource<readonly ProviderReport[]> {
  /** Opens a payment. A declined payment is not a rejection but a report with `failed`. */
  open(request: OpenRequest, signal: AbortSignal): Promise<ProviderAnswer>;
  /** Captures part of the authorized amount. */
  capture(request: AmountRequest, signal: AbortSignal): Promise<ProviderAnswer>;
  /**
   * Voids the uncaptured amount. Rejected if the provider can no longer stop the payment, or if everything is captured.
   */
  void(request: ReferenceRequest, signal: AbortSignal): Promise<ProviderAnswer>;
  /** Refunds captured money. The refund's outcome is in the report's `refunds`, even if it was rejected. */
  refund(request: RefundRequest, signal: AbortSignal): Promise<ProviderAnswer>;
  /** Fetches the payment's current state; undefined if the provider does not know it. */
  fetch(reference: string, signal: AbortSignal): Promise<ProviderReport | undefined>;
  /** Closes the connections to the provider. Called once, after the last request. */
  close?(): void;
}

interface ReferenceRequest {
  readonly key: string;
  /** The provider's own id of the payment. */
  readonly reference: string;
}

interface AmountRequest extends ReferenceRequest {
  readonly amount: Amount;
}

export interface RefundRequest extends AmountRequest {
  /** Docket's id of the refund, for the provider to store. */
  readonly refundId: string;
  readonly reason: string;
}

export interface OpenRequest {
  readonly key: string;
  /** For the provider to store with the payment and to repeat in callbacks and responses. */
  readonly payment: { readonly tenant: string; readonly name: string };
  readonly amount: Amount;
  /** The provider's token of the shopper's payment method; empty if the shopper has yet to choose. */
  readonly paymentToken: string;
  readonly captureAutomatically: boolean;
  readonly expireTime: Date;
}

export type ProviderAnswer =
  | { readonly kind: "done"; readonly report: ProviderReport }
  | { readonly kind: "refused"; readonly message: string; readonly report?: ProviderReport };
