import type { Transaction } from "kysely";
import { type AuditedCall, auditTrail } from "../../../runtime/audit/audit.ts";
import { actorOf, principalOf } from "../../../runtime/context-values.ts";
import { isUniqueViolation } from "../../../runtime/db/sql.ts";
import type { OutboxEvent } from "../../../runtime/outbox/outbox.ts";
import type { OrderContext } from "../../context.ts";
import type { OrderDatabase } from "../../db/schema.ts";
import type { Change } from "../../domain/changes.ts";
import { newOrder } from "../../domain/new-order.ts";
import { type Order, orderName } from "../../domain/order.ts";
import type { Pricing } from "../../domain/pricing.ts";
import { externalIdTaken } from "../../errors.ts";
import { placeOrderSaga, placeOrderState } from "../../saga/place-order.ts";
import { findOrdersByExternalId, insertOrders } from "../../store/orders.ts";
import type { OrderDraft } from "./order-draft.ts";

/** An order about to be placed, with its payment token. */
export interface Placement {
  readonly change: Change;
  readonly paymentToken: string;
  /** Details for the audit trail. */
  readonly audit: readonly OutboxEvent[];
}

/** A priced draft. */
export type PricedDraft = Extract<Pricing, { ok: true }> & { readonly draft: OrderDraft };

/** Creates the order of a draft, with a new id, at the current time. */
export function toPlacement(
  { ids, clock, config }: Pick<OrderContext, "ids" | "clock" | "config">,
  call: AuditedCall,
  { draft, lines, totals }: PricedDraft,
): Placement {
  const principal = principalOf(call);
  const at = clock.now().getTime();
  const change: Change = newOrder({
    ...draft,
    lines,
    totals,
    at,
    id: ids.next(),
    tenant: principal.tenant,
    actor: actorOf(principal),
    paymentDeadlineAt: at + config.paymentDeadlineMs,
  });
  const name = orderName(change.order);
  const details = { total: String(totals.total), currency: draft.currency };
  const audit = namesPrices(draft) ? auditTrail(call, { resource: name, aggregate: name, details }) : [];
  return { change, paymentToken: draft.paymentToken, audit };
}

/** Whether the caller overrides the catalogue's prices, which the audit trail records. */
function namesPrices({ lines, shippingFee }: OrderDraft): boolean {
  return (
    shippingFee !== undefined ||
    lines.some(({ unitPrice, discount, discountRate }) => (unitPrice ?? discount) !== undefined || discountRate !== "")
  );
}

/**
 * Writes new orders, their events and their sagas in the caller's transaction.
 *
 * @throws ConnectError ALREADY_EXISTS naming the order that has one of the external_ids
 */
export async function placeOrders(
  trx: Transaction<OrderDatabase>,
  ctx: OrderContext,
  placements: readonly Placement[],
): Promise<void> {
  const changes = placements.map(({ change }) => change);
  try {
    await insertOrders(trx, ctx, changes);
  } catch (error) {
    if (!isUniqueViolation(error)) {
      throw error;
    }
    const [taken] = await takenExternalIds(
      trx,
      changes.map(({ order }) => order),
    );
    throw taken === undefined ? error : externalIdTaken(taken);
  }
  await ctx.outbox.publish(
    trx,
    placements.flatMap(({ audit }) => audit),
  );
  for (const { change, paymentToken } of placements) {
    const { order } = change;
    await ctx.sagas.start(trx, {
      definition: placeOrderSaga,
      id: order.sagaId,
      tenant: order.tenant,
      aggregate: orderName(order),
      state: placeOrderState(order, paymentToken),
    });
  }
}

/** Finds stored orders with one of these external_ids. Runs no statement if none is given. */
export async function takenExternalIds(
  db: Parameters<typeof findOrdersByExternalId>[0],
  orders: readonly Pick<Order, "tenant" | "externalId">[],
): Promise<Order[]> {
  const externalIds = orders.flatMap(({ externalId }) => externalId || []);
  const [first] = orders;
  return first === undefined || externalIds.length === 0 ? [] : findOrdersByExternalId(db, first.tenant, externalIds);
}
