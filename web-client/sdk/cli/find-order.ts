import type { Order } from "../../../gen/docket/order/v1/order_pb.js";
import type { Docket } from "../docket.ts";

/** Help text for arguments of {@link findOrder}. */
export const orderArgument = "its name (orders/…), its id, or your own order number";

/** Finds an order by its resource name, its id, or the caller's order number. */
export async function findOrder(docket: Docket, name: string): Promise<Order> {
  if (name.startsWith("orders/")) {
    return docket.orders.getOrder({ name });
  }
  if (/^[0-9a-hjkmnp-tv-z]{26}$/.test(name)) {
    return docket.orders.getOrder({ name: `orders/${name}` });
  }
  return docket.orders.lookupOrder({ externalId: name });
}

/** Returns the parent for a list: the given order, or all orders. */
export async function parentOf(docket: Docket, order: string | undefined): Promise<string> {
  return order === undefined ? "orders/-" : (await findOrder(docket, order)).name;
}
