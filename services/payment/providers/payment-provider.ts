import type { CallbackSource } from "../../runtime/callbacks/callback-source.ts";
import type { Amount } from "../../runtime/values/money.ts";
import type { ProviderReport } from "../domain/provider-report.ts";

/**
 * The port to a payment provider. Every implementation passes `payment-provider-suite.ts`.
 *
 * - Each request carries a key; the same request with the same key has its effect once and gets the answer of now.
 * - A promise that rejects means that the outcome is not known: the caller repeats it with the same key, for as long as
 *   it takes. What is known to be refused resolves with `refused`.
 * - Every answer tells how the whole payment stands, as callbacks and `fetch` do; they are merged alike.
 */
export interface PaymentProvider extends CallbackSource {
  /** Asks for money. A declined payment is no refusal but a report with `failed`. */
  open(request: OpenRequest, signal: AbortSignal): Promise<ProviderAnswer>;
  /** Takes a part of what is authorized. */
  capture(request: AmountRequest, signal: AbortSignal): Promise<ProviderAnswer>;
  /** Gives up what is not captured. Refused when the provider cannot stop it any more, and when all is captured. */
  void(request: ReferenceRequest, signal: AbortSignal): Promise<ProviderAnswer>;
  /** Gives captured money back; the refund's outcome is in the report's `refunds`, also when it was refused. */
  refund(request: RefundRequest, signal: AbortSignal): Promise<ProviderAnswer>;
  /** How a payment stands now; undefined when the provider does not know it. */
  fetch(reference: string, signal: AbortSignal): Promise<ProviderReport | undefined>;

  /** What a verified body says: none for an event that is not about a payment. Throws when it cannot be understood. */
  read(body: Uint8Array): readonly ProviderReport[];
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
  /** Our id of the refund, for the provider to keep with it. */
  readonly refundId: string;
  readonly reason: string;
}

export interface OpenRequest {
  readonly key: string;
  /** For the provider to keep with the payment and to repeat in what it sends. */
  readonly payment: { readonly tenant: string; readonly name: string };
  readonly amount: Amount;
  /** What the shopper's payment method is to the provider; empty when the shopper has yet to choose. */
  readonly paymentToken: string;
  readonly captureAutomatically: boolean;
  readonly expireTime: Date;
}

export type ProviderAnswer =
  | { readonly kind: "done"; readonly report: ProviderReport }
  | { readonly kind: "refused"; readonly message: string; readonly report?: ProviderReport };
