import type { Amount } from "../../runtime/values/money.ts";
import type { RefundState } from "./refund-state.ts";

/**
 * A provider's report of the state of one of its payments, in a callback, a poll or a response. Sums are totals since
 * the beginning, in minor units, so that an old report takes nothing away from a newer one.
 */
export interface ProviderReport {
  /** The provider's own id of the payment. */
  readonly reference: string;
  /** The reference that `open` stored at the provider, if the report repeats it. */
  readonly payment?: { readonly tenant: string; readonly name: string };
  /** The requested amount; absent if the report does not repeat it, for example if it is about a refund alone. */
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
  /** Docket's id of the refund, if the report repeats it; absent for a refund made at the provider. */
  readonly id?: string;
  readonly amount: Amount;
  readonly state: RefundState;
  readonly failureMessage?: string;
}
