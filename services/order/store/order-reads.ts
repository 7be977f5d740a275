import { setImmediate as nextTurn } from "node:timers/promises";
import type { Database } from "../../runtime/db/connect.ts";
import type { OrderDatabase } from "../db/schema.ts";
import type { Order } from "../domain/order.ts";
import type { OrderKey } from "./change-order.ts";
import { findOrders } from "./orders.ts";

/** Most orders read at once, with up to 500 lines each. */
const MAX_ORDERS = 64;

/** Reads of single orders outside commands. What they return may have changed by the time a command decides. */
export interface OrderReads {
  /**
   * Finds an order as of now or later; undefined if the tenant has none with this id. The lookups of one turn of the
   * event loop share their statements: two for each tenant.
   */
  find(key: OrderKey): Promise<Order | undefined>;
}

export function createOrderReads({ kysely }: Pick<Database<OrderDatabase>, "kysely">): OrderReads {
  const waiting = new Map<string, Set<string>>();
  let turn: Promise<ReadonlyMap<string, Promise<ReadonlyMap<string, Order>>>> | undefined;

  const readAll = async () => {
    await nextTurn();
    turn = undefined;
    const reads = new Map([...waiting].map(([tenant, ids]) => [tenant, readOrders(kysely, tenant, [...ids])]));
    waiting.clear();
    return reads;
  };

  return {
    async find({ tenant, id }) {
      waiting.set(tenant, (waiting.get(tenant) ?? new Set()).add(id));
      turn ??= readAll();
      const orders = await (await turn).get(tenant);
      return orders?.get(id);
    },
  };
}

async function readOrders(
  kysely: Database<OrderDatabase>["kysely"],
  tenant: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Order>> {
  const orders = new Map<string, Order>();
  for (let at = 0; at < ids.length; at += MAX_ORDERS) {
    for (const order of await findOrders(kysely, tenant, ids.slice(at, at + MAX_ORDERS))) {
      orders.set(order.id, order);
    }
  }
  return orders;
}
