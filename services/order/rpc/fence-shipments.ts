import type { HandlerContext } from "@connectrpc/connect";
import type { Shipment } from "../../../gen/docket/logistics/v1/logistics_pb.js";
import type { OrderContext } from "../context.ts";
import { type Order, orderName } from "../domain/order.ts";
import { effectiveState } from "../domain/order-state.ts";
import { lostRace } from "../errors.ts";
import { findOrder } from "../store/orders.ts";
import { againWhenChanged } from "./again-when-changed.ts";
import { attempt } from "./attempt.ts";

/** All shipments of an order, by the logistics service's own books, and up to which announcement that is the truth. */
export interface FencedShipments {
  readonly shipments: readonly Shipment[];
  readonly announcements: number;
}

/**
 * Asks the logistics service for the order's shipments, for a decision that must not be made from the order's own copy,
 * which lags. CreateShipment announces each shipment to the order first, under the order's lock. So what was announced
 * before is either among the answered shipments or is refused by the fence; what is announced later changes
 * `shipmentAnnouncements`, which {@link checkFence} looks at under the lock.
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
 * The shipments of an order that the transaction has locked, as they were fenced before it.
 *
 * @throws ConnectError ABORTED, reason ORDER_CHANGED, where another shipment was announced meanwhile: fence again
 */
export function checkFence(order: Order, fenced: FencedShipments | undefined): readonly Shipment[] {
  if (fenced === undefined || fenced.announcements !== order.shipmentAnnouncements) {
    throw lostRace(order);
  }
  return fenced.shipments;
}

/** Which order, and for whom it is asked. */
export interface FencedCall {
  readonly tenant: string;
  readonly id: string;
  readonly context: HandlerContext;
  /** Whether this order's shipments matter to the call; always unless given. */
  readonly needs?: (order: Order) => boolean;
}

/**
 * Does the work after the order's shipments were fenced, where it may have some and the call needs them, and again from the
 * beginning where another request changed the order meanwhile. What the work gets throws what fencing threw, so that a
 * stored answer needs no fence.
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

/** Whether an order stands where it may have shipments. */
export function mayHaveShipments(order: Order): boolean {
  const state = effectiveState(order);
  return state === "CONFIRMED" || state === "FULFILLING";
}
