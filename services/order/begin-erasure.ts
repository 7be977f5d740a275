import type { Transaction } from "kysely";
import { OrderSchema } from "../../gen/docket/order/v1/order_pb.js";
import { eraseCustomer } from "../runtime/api/personal-fields.ts";
import type { OrderContext } from "./context.ts";
import type { OrderDatabase } from "./db/schema.ts";
import { hasEnded } from "./domain/anonymize.ts";
import { anonymized, type Stamp } from "./domain/changes.ts";
import { type Order, orderName } from "./domain/order.ts";
import { toAddress, toCustomer, toOrderMessage } from "./messages.ts";
import { deletionSagaId } from "./store/delete-orders.ts";
import { lockOrder, saveChanges } from "./store/orders.ts";
import type { OrderKey } from "./store/projections.ts";

/** What came of it: the saga that erases the rest, or the order, which has not ended; undefined where there is none. */
export type BegunErasure =
  | { readonly sagaId: string; readonly order: Order }
  | { readonly underWay: Order }
  | undefined;

/**
 * Erases the personal data of an order that has ended, and starts the saga that erases what is kept beside the order; with
 * `deletes` it then deletes the order.
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
    definition: ctx.definitions.anonymizeOrder,
    id: sagaId,
    tenant,
    aggregate: orderName(order),
    state: { orderId: id, deletes },
  });
  return { sagaId, order };
}

/** What of an order a caller has written, without what it tells of the customer. */
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
