/** Payment state of an order. */
export const paymentStates = [
  "UNPAID",
  "PARTIALLY_PAID",
  "AUTHORIZED",
  "PAID",
  "OVERPAID",
  "PARTIALLY_REFUNDED",
  "REFUNDED",
] as const;

export type PaymentState = (typeof paymentStates)[number];

/** Sums over an order's payments, in minor units of its currency. */
export interface Funds {
  /** Authorized by providers, and neither captured nor voided. */
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
}

/** Adds up the funds of several payments. */
export function sumOfFunds(all: readonly Funds[]): Funds {
  return all.reduce(
    (sum, { authorized, captured, refunded }) => ({
      authorized: sum.authorized + authorized,
      captured: sum.captured + captured,
      refunded: sum.refunded + refunded,
    }),
    noFunds,
  );
}

export const noFunds: Funds = { authorized: 0n, captured: 0n, refunded: 0n };

/**
 * Derives the payment state from the sums for an order of this total. Refunds count only as far as they leave less than
 * the total: returning an overpayment leaves the order PAID.
 */
export function paymentStateOf(total: bigint, { authorized, captured, refunded }: Funds): PaymentState {
  const kept = captured - refunded;
  if (kept >= total && (captured > 0n || total === 0n)) {
    return kept > total ? "OVERPAID" : "PAID";
  }
  if (refunded > 0n) {
    return kept > 0n ? "PARTIALLY_REFUNDED" : "REFUNDED";
  }
  if (captured > 0n) {
    return "PARTIALLY_PAID";
  }
  return authorized >= total ? "AUTHORIZED" : "UNPAID";
}

/** Whether the order may proceed: its total is captured, or authorized if it is captured manually. */
export function isFunded(total: bigint, funds: Funds, capturesByHand: boolean): boolean {
  const kept = funds.captured - funds.refunded;
  return kept >= total || (capturesByHand && kept + funds.authorized >= total);
}

/** Whether the total was captured, whatever was refunded afterwards, so that no more money is expected. */
export function isSettled(total: bigint, funds: Funds): boolean {
  return funds.captured >= total;
}

/** Whether the merchant holds the buyer's money or an authorization of it. */
export function holdsMoney(funds: Funds): boolean {
  return funds.captured > funds.refunded || funds.authorized > 0n;
}
