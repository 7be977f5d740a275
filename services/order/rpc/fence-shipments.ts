import type { HandlerContext } from "@connectrpc/connect";
import type { Shipment } from "../../../gen/docket/logistics/v1/logistics_pb.js";
import type { OrderContext } from "../context.ts";
import { type Order, orderName } from "../domain/order.ts";
import { effectiveState } from "../domain/order-state.ts";
import { lostRace } from "../errors.ts";
import { findOrder } from "../store/orders.ts";
import { againWhenChanged } from "./again-when-changed.ts";
import { attempt } from "./attempt.ts";

/** All shipments of an order, by the logistics service's own books, complete up to the given announcement. */
export interface FencedShipments {
  readonly shipments: readonly Shipment[];
  readonly announcements: number;
}

/**
 * Asks the logistics service for the order's shipments, for decisions that must not rely on the order's own lagging
 * copy. CreateShipment announces each shipment to the order first, under the order's lock. A shipment announced before
 * the fence is therefore either in the response or rejected by the fence; a later announcement changes
 * `shipmentAnnouncements`, which {@link checkFence} compares under the lock.
 */
async function fenceShipments(
  { clients }: Pick<OrderContext, "clients">,
  order: Order,
  context: HandlerContext,
): Promise<FencedShipments> {
  const announcements = order.shipmentAnnouncements;
  const logistics = clients.logistics.for(order.tenant, context);
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

/** The order, and the principal of the request. */
export interface FencedCall {
  readonly tenant: string;
  readonly id: string;
  readonly context: HandlerContext;
  /** Whether this order's shipments matter to the call; defaults to always. */
  readonly needs?: (order: Order) => boolean;
}

/**
 * Runs the work after fencing the order's shipments, if it may have any and the call needs them, and restarts if
 * another request changed the order meanwhile. An error of the fence is rethrown only when the work reads the
 * shipments, so that a stored response needs no fence.
 */
export function whileFenced<T>(
  ctx: OrderContext,
  { tenant, id, context, needs = () => true }: FencedCall,
  work: (fenced: () => FencedShipments | undefined) => Promise<T>,
): Promise<T> {
  return againWhenChanged(async () =>
    work(
      await attempt(async () => {
        const order = await findOrder(ctx.db.kysely, tenant, id);
        return order && mayHaveShipments(order) && needs(order) ? fenceShipments(ctx, order, context) : undefined;
      }),
    ),
  );
}

/** Whether an order is in a state in which it may have shipments. */
export function mayHaveShipments(order: Order): boolean {
  const state = effectiveState(order);
  return state === "CONFIRMED" || state === "FULFILLING";
}
