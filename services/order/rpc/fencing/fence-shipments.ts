import type { HandlerContext } from "@connectrpc/connect";
import type { Shipment } from "../../../../gen/docket/logistics/v1/logistics_pb.js";
import type { OrderContext } from "../../context.ts";
import { type Order, orderName } from "../../domain/order.ts";
import { effectiveState } from "../../domain/order-state.ts";
import { lostRace } from "../../errors.ts";

/** All shipments of an order, by the logistics service's own books, complete up to the given announcement. */
export interface FencedShipments {
  readonly shipments: readonly Shipment[];
  readonly announcements: number;
}

/** Whose shipments to fence, and for which call. */
export interface FencedCall {
  readonly tenant: string;
  readonly id: string;
  readonly call: HandlerContext;
  /** Whether this order's shipments matter to the call; defaults to always. */
  readonly needs?: (order: Order) => boolean;
}

/**
 * Asks the logistics service for the order's shipments, if it may have any and the call needs them, for decisions that
 * must not rely on the order's own lagging copy. CreateShipment announces each shipment to the order first, under the order's lock. A shipment announced before
 * the fence is therefore either in the response or rejected by the fence; a later announcement changes
 * `shipmentAnnouncements`, which {@link checkFence} compares under the lock.
 */
export async function fenceShipments(
  { reads, clients }: Pick<OrderContext, "reads" | "clients">,
  { tenant, id, call, needs = () => true }: FencedCall,
): Promise<FencedShipments | undefined> {
  const order = await reads.find({ tenant, id });
  if (order === undefined || !mayHaveShipments(order) || !needs(order)) {
    return undefined;
  }
  const announcements = order.shipmentAnnouncements;
  const logistics = clients.logistics.for(tenant, call);
  const { shipments } = await logistics.fenceOrderShipments({ parent: orderName(order) });
  return { shipments, announcements };
}

/**
 * Returns the shipments of an order that the transaction has locked, as fenced before the transaction.
 *
 * @throws ConnectError ABORTED, reason ORDER_CHANGED, if another shipment was announced meanwhile: fence again
 */
export function checkFence(order: Order, fenced: FencedShipments | undefined): readonly Shipment[] {
  if (fenced === undefined || fenced.announcements !== order.shipmentAnnouncements) {
    throw lostRace(order);
  }
  return fenced.shipments;
}

/** Whether an order is in a state in which it may have shipments. */
export function mayHaveShipments(order: Order): boolean {
  const state = effectiveState(order);
  return state === "CONFIRMED" || state === "FULFILLING";
}
