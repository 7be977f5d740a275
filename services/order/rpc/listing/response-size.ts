import { LINE_BYTES } from "../../../runtime/api/read-page.ts";
import type { Order } from "../../domain/order.ts";

/** Bytes of an order in a response besides its lines and free texts. */
const FIXED_BYTES = 700;

/** Estimates the bytes of an order in a response. */
export function responseBytes(order: Pick<Order, "lines" | "labels" | "note" | "shortages">): number {
  let bytes = FIXED_BYTES + order.note.length + (order.lines.length + order.shortages.length) * LINE_BYTES;
  for (const [key, value] of Object.entries(order.labels)) {
    bytes += key.length + value.length;
  }
  return bytes;
}
