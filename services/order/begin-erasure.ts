import { OrderSchema } from "../../gen/docket/order/v1/order_pb.js";
import { eraseCustomer } from "../runtime/api/personal-fields.ts";
import type { Batch } from "../runtime/commands/command.ts";
import type { OrderContext } from "./context.ts";
import { hasEnded } from "./domain/anonymize.ts";
import { anonymized, type Stamp } from "./domain/changes.ts";
import { type Order, orderName } from "./domain/order.ts";
import { toAddress, toCustomer, toOrderMessage } from "./messages.ts";
import { anonymizeOrderSaga } from "./saga/anonymize-order.ts";
import { changeInBatch, type OrderKey } from "./store/change-order.ts";
import { deletionSagaId } from "./store/delete-orders.ts";

/** Result: the saga that erases the rest, or the order if it has not ended; undefined if there is no such order. */
export type BegunErasure =
  | { readonly sagaId: string; readonly order: Order }
  | { readonly underWay: Order }
  | undefined;

/**
 * Erases the personal data of an ended order and starts the saga that erases the copies kept outside the order. With
 * `deletes`, that saga finally deletes the order. The command must have declared the order.
 */
export function beginErasure(
  batch: Batch,
  ctx: OrderContext,
  key: OrderKey,
  { moment, deletes }: { readonly moment: Stamp; readonly deletes: boolean },
): BegunErasure {
  const { tenant, id } = key;
  const order = changeInBatch(batch, ctx, key, (before) =>
    hasEnded(before) && before.anonymizedAt === undefined ? [anonymized(before, erasedContent(before), moment)] : [],
  );
  if (order === undefined || !hasEnded(order)) {
    return order && { underWay: order };
  }
  const sagaId = deletes ? deletionSagaId(id) : ctx.ids.next();
  ctx.sagas.inBatch.start(batch, {
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
