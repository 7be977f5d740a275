import type { Amount } from "../../runtime/values/money.ts";
import type { RefundState } from "./refund-state.ts";

/**
 * What a provider says of one of its payments, in a callback, a poll, or an answer: not what happened but how things
 * stand. Sums are totals since the beginning, in minor units, so that an old report takes nothing away from a newer one.
 */
export interface ProviderReport {
  /** The provider's own id of the payment. */
  readonly reference: string;
  /** What `open` gave to the provider to keep with the payment, where the report repeats it. */
  readonly payment?: { readonly tenant: string; readonly name: string };
  /** What the provider was asked for; absent where the report does not repeat it, as one about a refund alone. */
  readonly amount?: Amount;
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly actionRequired: boolean;
  readonly failed: boolean;
  readonly voided: boolean;
  /** Why it failed, in the provider's words. */
  readonly failureMessage?: string;
  readonly clientSecret?: string;
  readonly redirectUrl?: string;
  readonly refunds: readonly RefundReport[];
}

export interface RefundReport {
  /** The provider's own id of the refund. */
  readonly reference: string;
  /** Our id of it, where the report repeats it; absent for a refund that was made at the provider. */
  readonly id?: string;
  readonly amount: Amount;
  readonly state: RefundState;
  readonly failureMessage?: string;
}
