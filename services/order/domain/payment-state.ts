/** How much of an order's money has arrived. */
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
  /** Promised by providers and neither taken nor given up. */
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
}

/** The sums over several payments. */
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
 * The state that the sums mean for an order of this total. Money that went back counts only as far as less than the
 * total is left: returning what was paid too much leaves the order PAID.
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

/** Whether the order may go on: the money is there, or promised where somebody takes it by hand. */
export function isFunded(total: bigint, funds: Funds, capturesByHand: boolean): boolean {
  const kept = funds.captured - funds.refunded;
  return kept >= total || (capturesByHand && kept + funds.authorized >= total);
}

/** Whether the total was taken, whatever went back afterwards: nothing more is to come in. */
export function isSettled(total: bigint, funds: Funds): boolean {
  return funds.captured >= total;
}

/** Whether money of the buyer is with us or promised to us. */
export function holdsMoney(funds: Funds): boolean {
  return funds.captured > funds.refunded || funds.authorized > 0n;
}
