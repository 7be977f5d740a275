import type { OrderLine } from "./order.ts";

/** A shipment as the order service knows it. */
export interface Parcel {
  readonly id: string;
  /** Cancelled or closed: its units are not on the way to the customer. */
  readonly over: boolean;
  readonly delivered: boolean;
  readonly lines: readonly { readonly lineId: string; readonly quantity: number }[];
}

/** The lines with their shipped and delivered quantities recounted from all shipments of the order. */
export function withParcels(lines: readonly OrderLine[], parcels: readonly Parcel[]): OrderLine[] {
  const shipped = new Map<string, number>();
  const delivered = new Map<string, number>();
  const live = parcels.filter((parcel) => !parcel.over);
  for (const parcel of live) {
    for (const { lineId, quantity } of parcel.lines) {
      shipped.set(lineId, (shipped.get(lineId) ?? 0) + quantity);
      if (parcel.delivered) {
        delivered.set(lineId, (delivered.get(lineId) ?? 0) + quantity);
      }
    }
  }
  return lines.map((line) => ({
    ...line,
    quantityShipped: shipped.get(line.id) ?? 0,
    quantityDelivered: delivered.get(line.id) ?? 0,
  }));
}

/** Whether any unit of the lines is in a shipment. */
export function anyShipped(lines: readonly OrderLine[]): boolean {
  return lines.some((line) => line.quantityShipped > 0);
}

/** Whether every unit of every line is delivered or cancelled. */
export function allDelivered(lines: readonly OrderLine[]): boolean {
  return lines.every((line) => line.quantityDelivered >= line.quantity - line.quantityCancelled);
}
