import type { Transaction } from "kysely";
import { OrderSchema } from "../../gen/docket/order/v1/order_pb.js";
import { eraseCustomer } from "../runtime/api/personal-fields.ts";
import type { OrderContext } from "./context.ts";
import type { OrderDatabase } from "./db/schema.ts";
import { hasEnded } from "./domain/anonymize.ts";
import { anonymized, type Stamp } from "./domain/changes.ts";
import { type Order, orderName } from "./domain/order.ts";
import { toAddress, toCustomer, toOrderMessage } from "./messages.ts";
import { anonymizeOrderSaga } from "./saga/anonymize-order.ts";
import { deletionSagaId } from "./store/delete-orders.ts";
import { lockOrder, saveChanges } from "./store/orders.ts";
import type { OrderKey } from "./store/projections.ts";

/** Result: the saga that erases the rest, or the order if it has not ended; undefined if there is no such order. */
export type BegunErasure =
  | { readonly sagaId: string; readonly order: Order }
  | { readonly underWay: Order }
  | undefined;

/**
 * Erases the personal data of an ended order and starts the saga that erases the copies kept outside the order. With
 * `deletes`, that saga finally deletes the order.
 */
export async function beginErasure(
  ctx: OrderContext,
  trx: Transaction<OrderDatabase>,
  { tenant, id }: OrderKey,
  { moment, deletes }: { readonly moment: Stamp; readonly deletes: boolean },
): Promise<BegunErasure> {
  const order = await lockOrder(trx, ctx.db.dialect, tenant, id);
  if (order === undefined || !hasEnded(order)) {
    return order && { underWay: order };
  }
  if (order.anonymizedAt === undefined) {
    await saveChanges(trx, ctx, order, [anonymized(order, erasedContent(order), moment)]);
  }
  const sagaId = deletes ? deletionSagaId(id) : ctx.ids.next();
  await ctx.sagas.start(trx, {
    definition: anonymizeOrderSaga,
    id: sagaId,
    tenant,
    aggregate: orderName(order),
    state: { orderId: id, deletes },
  });
  return { sagaId, order };
}

/** The caller-supplied part of an order, without the customer's data. */
function erasedContent(order: Order): Pick<Order, "customer" | "shippingAddress" | "labels" | "note"> {
  const message = toOrderMessage(order);
  eraseCustomer(OrderSchema, message);
  return {
    customer: toCustomer(message.customer),
    shippingAddress: toAddress(message.shippingAddress),
    labels: { ...message.labels },
    note: message.note,
  };
}
