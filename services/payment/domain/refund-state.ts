/**
 * Where a refund stands.
 *
 * ```
 *   PENDING ----> SUCCEEDED
 *      |              |  the bank sent the money back to us
 *      +----> FAILED <+
 * ```
 *
 * What is heard is merged by rank, so that it may come repeated and in any order.
 */
export const REFUND_STATES = ["PENDING", "SUCCEEDED", "FAILED"] as const;
export type RefundState = (typeof REFUND_STATES)[number];

const RANK = { PENDING: 0, SUCCEEDED: 1, FAILED: 2 } as const satisfies Record<RefundState, number>;

/** The state after something was heard. */
export function mergeRefundState(current: RefundState, heard: RefundState): RefundState {
  return RANK[heard] > RANK[current] ? heard : current;
}
