/**
 * The state of a refund.
 *
 * ```
 *   PENDING ----> SUCCEEDED
 *      |              |  the bank sent the money back to us
 *      +----> FAILED <+
 * ```
 *
 * Reports are merged by rank, so they may arrive repeatedly and in any order.
 */
export const REFUND_STATES = ["PENDING", "SUCCEEDED", "FAILED"] as const;
export type RefundState = (typeof REFUND_STATES)[number];

const RANK = { PENDING: 0, SUCCEEDED: 1, FAILED: 2 } as const satisfies Record<RefundState, number>;

/** Merges a reported state into the known one. */
export function mergeRefundState(current: RefundState, heard: RefundState): RefundState {
  return RANK[heard] > RANK[current] ? heard : current;
}
