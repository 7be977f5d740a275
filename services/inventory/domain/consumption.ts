import { type ReservedLine, type SkuQuantity, sumPerSku } from "./reservation.ts";

/** A COMMITTED reservation of the order whose goods left the warehouse. */
export interface CommittedReservation {
  readonly id: string;
  readonly lines: readonly ReservedLine[];
}

/** What one reservation gives to a shipment. */
export interface ConsumedFrom {
  readonly id: string;
  /** By SKU, ascending. */
  readonly units: readonly SkuQuantity[];
  /** Whether nothing of the reservation is left afterwards. */
  readonly empties: boolean;
}

export interface Consumption {
  readonly from: readonly ConsumedFrom[];
  /** What left the warehouse without having been reserved, by SKU ascending. */
  readonly unreserved: readonly SkuQuantity[];
}

/** Takes a shipment's units from the order's reservations, the first ones first. */
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
