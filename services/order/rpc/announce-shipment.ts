import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import type { OrderContext } from "../context.ts";
import { isBacked } from "../domain/funding.ts";
import { dueOf, type Order, orderName } from "../domain/order.ts";
import { paymentStateOf, sumOfFunds } from "../domain/payment-state.ts";
import { orderNotFound, orderNotFunded, outOfStock } from "../errors.ts";
import { orderIdOf, toOrderMessage } from "../messages.ts";
import { fundsOf } from "../payment-funds.ts";
import { resizeReservation } from "../saga/resize-reservation.ts";
import { rejectionOr, shortagesOf } from "../saga/rpc-outcome.ts";
import { noteAnnouncement } from "../store/note-announcement.ts";

/**
 * Counts the announcement under the order's lock, so that concurrent changes of data that a shipment depends on see it,
 * and then reserves stock for units to be shipped again. If the order's state does not allow shipping, only returns the
 * order.
 *
 * @throws ConnectError FAILED_PRECONDITION, reason ORDER_NOT_FUNDED, if the order's funds do not cover shipping it, by
 * the payment service's current books: the order's own sums follow its events with a delay
 */
export function announceShipment(ctx: OrderContext): ServiceImpl<typeof OrderService>["announceShipment"] {
  const { commands, clients } = ctx;
  return async ({ name, closedUnits }, call) => {
    const { tenant } = principalOf(call);
    const id = orderIdOf(name);
    const order = await commands.execute(noteAnnouncement({ tenant, id }, isShippable), { tenant });
    if (order === undefined) {
      throw orderNotFound(name);
    }
    if (isShippable(order)) {
      await requireFunds(ctx, order, call);
    }
    if (closedUnits.length > 0 && isShippable(order)) {
      const closed = new Map(closedUnits.map(({ sku, quantity }) => [sku, quantity]));
      const resized = await rejectionOr(resizeReservation(clients.inventory.for(tenant, call), order, closed));
      if ("refusal" in resized) {
        const { error, reason } = resized.refusal;
        throw reason === "OUT_OF_STOCK" ? outOfStock({ ...order, shortages: shortagesOf(error) }) : error;
      }
    }
    return toOrderMessage(order);
  };
}

function isShippable({ state }: { readonly state: string }): boolean {
  return state === "CONFIRMED" || state === "FULFILLING";
}

async function requireFunds({ clients }: OrderContext, order: Order, call: HandlerContext): Promise<void> {
  const parent = orderName(order);
  const { payments } = await clients.payment.for(order.tenant, call).listPayments({ parent, pageSize: 1000 });
  const funds = sumOfFunds(payments.map(fundsOf));
  const current = { ...order, ...funds, paymentState: paymentStateOf(dueOf(order), funds) };
  if (!isBacked(current)) {
    throw orderNotFunded(current);
  }
}
