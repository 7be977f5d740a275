import { type ReservedLine, type SkuQuantity, sumPerSku } from "./reservation.ts";

/** A COMMITTED reservation of the shipped order. */
export interface CommittedReservation {
  readonly id: string;
  readonly lines: readonly ReservedLine[];
}

/** The units that a shipment consumes from one reservation. */
export interface ConsumedFrom {
  readonly id: string;
  /** By SKU, ascending. */
  readonly units: readonly SkuQuantity[];
  /** Whether the reservation has no units left afterwards. */
  readonly empties: boolean;
}

export interface Consumption {
  readonly from: readonly ConsumedFrom[];
  /** Units shipped without a reservation, by SKU ascending. */
  readonly unreserved: readonly SkuQuantity[];
}

/** Allocates a shipment's units to the order's reservations, first to last. */
export function allocate(reservations: readonly CommittedReservation[], shipped: readonly SkuQuantity[]): Consumption {
  const missing = new Map(sumPerSku(shipped).map(({ sku, quantity }) => [sku, quantity]));
  const from: ConsumedFrom[] = [];
  for (const { id, lines } of reservations) {
    const units: SkuQuantity[] = [];
    let empties = true;
    for (const { sku, quantity, consumed } of lines) {
      const left = quantity - consumed;
      const wanted = missing.get(sku) ?? 0n;
      const taken = left < wanted ? left : wanted;
      if (taken > 0n) {
        units.push({ sku, quantity: taken });
        missing.set(sku, wanted - taken);
      }
      empties &&= taken === left;
    }
    if (units.length > 0) {
      from.push({ id, units: sumPerSku(units), empties });
    }
  }
  const unreserved = [...missing].map(([sku, quantity]) => ({ sku, quantity })).filter(({ quantity }) => quantity > 0n);
  return { from, unreserved };
}
