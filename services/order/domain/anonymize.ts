import type { Order } from "./order.ts";

/** Terminal states: no shipment or money is expected any more. */
export const endStates = ["COMPLETED", "CANCELLED", "EXPIRED"] as const;

/** Whether the order's personal data is no longer needed. */
export function hasEnded({ state, lateSagaId, linesSagaId }: Pick<Order, "state" | "lateSagaId" | "linesSagaId">) {
  return endStates.some((end) => end === state) && lateSagaId === undefined && linesSagaId === undefined;
}
