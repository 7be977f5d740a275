import type { Batch, Command, KeySet } from "../../runtime/commands/command.ts";
import { type ChangeNotifier, feedSignal } from "../change-notifier.ts";
import type { Change } from "../domain/changes.ts";
import type { Order } from "../domain/order.ts";
import { orderEvent } from "../events.ts";
import { feed, feedHeads, orders, timeline } from "./mappings.ts";

/** An order's key within the database. */
export interface OrderKey {
  readonly tenant: string;
  readonly id: string;
}

/** Notified of changed orders and of growing feeds once the batch has committed. */
export interface ChangeSink {
  readonly changed: ChangeNotifier;
}

/**
 * A command that changes an order. Returns the order as changed; undefined if the tenant has none with this id.
 *
 * @param decide returns the changes, each built on the previous one; none to leave the order as it is
 */
export function changeOrder(
  sink: ChangeSink,
  key: OrderKey,
  decide: (order: Order, batch: Batch) => readonly Change[],
): Command<Order | undefined> {
  return {
    keys: (need) => needOrder(need, key),
    decide: (batch) => changeInBatch(batch, sink, key, (order) => decide(order, batch)),
  };
}

/** Changes an order that the command declared. Returns the order as changed; undefined if there is none. */
export function changeInBatch(
  batch: Batch,
  sink: ChangeSink,
  key: OrderKey,
  decide: (order: Order) => readonly Change[],
): Order | undefined {
  const order = getOrder(batch, key);
  return order && recordChanges(batch, sink, order, decide(order));
}

/** Declares an order that the command may change. */
export function needOrder(need: KeySet, { tenant, id }: OrderKey): void {
  need.one(orders, [tenant, id]);
  need.one(feedHeads, [tenant]);
}

/** Returns a declared order. */
export function getOrder(batch: Batch, { tenant, id }: OrderKey): Order | undefined {
  return batch.get(orders, [tenant, id]);
}

/** Writes the changes of a declared order with their timeline and feed entries and events. Returns the order after. */
export function recordChanges(batch: Batch, sink: ChangeSink, before: Order, changes: readonly Change[]): Order {
  const last = changes.at(-1)?.order;
  if (last === undefined) {
    return before;
  }
  batch.update(orders, last);
  for (const change of changes) {
    recordChange(batch, sink, change);
  }
  return last;
}

/** Declares what {@link insertOrder} needs. */
export function needNewOrder(need: KeySet, { tenant, externalId }: Pick<Order, "tenant" | "externalId">): void {
  need.one(feedHeads, [tenant]);
  if (externalId !== "") {
    need.freshBy(orders, "externalId", [tenant, externalId]);
  }
}

/** Returns the order that has a declared external_id. */
export function findByExternalId(
  batch: Batch,
  { tenant, externalId }: Pick<Order, "tenant" | "externalId">,
): Order | undefined {
  return externalId === "" ? undefined : batch.find(orders, "externalId", [tenant, externalId]);
}

/** Inserts a new order with its lines, its first timeline and feed entries and its event. */
export function insertOrder(batch: Batch, sink: ChangeSink, placed: Change): void {
  batch.insert(orders, placed.order);
  recordChange(batch, sink, placed);
}

function recordChange(batch: Batch, { changed }: ChangeSink, change: Change): void {
  const { order, entry } = change;
  const { tenant, id } = order;
  batch.insert(timeline, { tenant, orderId: id, entry });
  appendToFeed(batch, order, { sequence: entry.sequence, at: entry.createdAt });
  batch.publish(orderEvent(change));
  batch.afterCommit(() => {
    changed.notify(id);
    changed.notify(feedSignal(tenant));
  });
}

/**
 * Appends an entry to the tenant's feed. Positions are assigned under the lock of the feed's head, so that they become
 * visible in order: a reader that has seen position 7 has missed nothing before it.
 */
function appendToFeed(
  batch: Batch,
  { tenant, id }: OrderKey,
  { sequence, at }: { readonly sequence: number; readonly at: number },
): void {
  const head = batch.get(feedHeads, [tenant]);
  const position = (head?.position ?? 0) + 1;
  batch.insert(feed, { tenant_id: tenant, position, order_id: id, sequence, created_at: at });
  if (head === undefined) {
    batch.insert(feedHeads, { tenant_id: tenant, position, pruned: 0 });
  } else {
    batch.update(feedHeads, { ...head, position });
  }
}
