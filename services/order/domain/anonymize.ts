import type { Order } from "./order.ts";

/** The states in which an order has come to its end: no parcel and no money is expected any more. */
export const endStates = ["COMPLETED", "CANCELLED", "EXPIRED"] as const;

/** Whether the order's personal data is needed no longer. */
export function hasEnded({ state, lateSagaId, linesSagaId }: Pick<Order, "state" | "lateSagaId" | "linesSagaId">) {
  return endStates.some((end) => end === state) && lateSagaId === undefined && linesSagaId === undefined;
}
