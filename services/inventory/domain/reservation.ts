/**
 * A reservation: units held for one order.
 *
 * ```
 *   ReserveStock
 *        │
 *        ▼        commit                  consume (the last unit)
 *      HELD ─────────────────▶ COMMITTED ─────────────────▶ CONSUMED
 *      │  │                        │
 *      │  └──── release ───┐       │ release
 *      │ expire            ▼       ▼
 *      ▼                  RELEASED ◀─── release of what was never reserved
 *   EXPIRED
 * ```
 *
 * RELEASED and EXPIRED are final. Release and expiry return the units that have not left the warehouse. The quantities
 * of a COMMITTED or CONSUMED reservation can change (`resize.ts`) when lost goods are shipped again or units are
 * cancelled.
 */

export const reservationStates = ["HELD", "COMMITTED", "CONSUMED", "RELEASED", "EXPIRED"] as const;
export type ReservationState = (typeof reservationStates)[number];

export const reservationActions = ["reserve", "commit", "consume", "release", "expire"] as const;
export type ReservationAction = (typeof reservationActions)[number];

/**
 * - a state: the reservation moves to it;
 * - `stays`: the action has already been done, or has no effect;
 * - `refused`: the action is not allowed in this state.
 */
type Outcome = ReservationState | "stays" | "refused";

const transitions = {
  HELD: { reserve: "stays", commit: "COMMITTED", consume: "refused", release: "RELEASED", expire: "EXPIRED" },
  COMMITTED: { reserve: "stays", commit: "stays", consume: "CONSUMED", release: "RELEASED", expire: "refused" },
  CONSUMED: { reserve: "stays", commit: "stays", consume: "refused", release: "stays", expire: "refused" },
  RELEASED: { reserve: "refused", commit: "refused", consume: "refused", release: "stays", expire: "refused" },
  EXPIRED: { reserve: "refused", commit: "refused", consume: "refused", release: "stays", expire: "stays" },
} satisfies Record<ReservationState, Record<ReservationAction, Outcome>>;

/** Returns the effect of an action on a reservation in this state. `consume` means consumption of the last unit. */
export function transition(state: ReservationState, action: ReservationAction): Outcome {
  return transitions[state][action];
}

/** Reserved units of one SKU, and how many of them have left the warehouse. */
export interface ReservedLine {
  readonly sku: string;
  readonly quantity: bigint;
  readonly consumed: bigint;
}

/** A stored reservation. Times are epoch milliseconds. */
export interface ReservationValue {
  readonly tenant: string;
  readonly id: string;
  /** The order's resource name; empty if released before it was reserved. */
  readonly order: string;
  readonly state: ReservationState;
  readonly lines: readonly ReservedLine[];
  /** By the database's clock; undefined unless HELD or EXPIRED. */
  readonly expiresAt: number | undefined;
  /** Revision of the last resize request; 0 if none. */
  readonly revision: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** Returns whether a reservation is HELD and past its expiry, by the database's clock. */
export function isOverdue({ state, expiresAt }: ReservationValue, nowMs: number): boolean {
  return state === "HELD" && expiresAt !== undefined && expiresAt <= nowMs;
}

/** Units of one SKU. */
export interface SkuQuantity {
  readonly sku: string;
  readonly quantity: bigint;
}

/** Sums quantities by SKU, in ascending order of the SKU, which is the order in which rows are locked. */
export function sumPerSku(lines: readonly SkuQuantity[]): SkuQuantity[] {
  const sums = new Map<string, bigint>();
  for (const { sku, quantity } of lines) {
    sums.set(sku, (sums.get(sku) ?? 0n) + quantity);
  }
  return [...sums].map(([sku, quantity]) => ({ sku, quantity })).sort((a, b) => (a.sku < b.sku ? -1 : 1));
}

/** Returns a reservation's units that are still in the warehouse, by SKU in ascending order. */
export function unitsLeft(lines: readonly ReservedLine[]): SkuQuantity[] {
  return sumPerSku(lines.map(({ sku, quantity, consumed }) => ({ sku, quantity: quantity - consumed }))).filter(
    ({ quantity }) => quantity > 0n,
  );
}

/** Returns whether a reservation holds exactly these quantities. */
export function holdsExactly(lines: readonly ReservedLine[], wanted: readonly SkuQuantity[]): boolean {
  const held = sumPerSku(lines);
  return (
    held.length === wanted.length &&
    held.every(({ sku, quantity }, i) => sku === wanted[i]?.sku && quantity === wanted[i]?.quantity)
  );
}
