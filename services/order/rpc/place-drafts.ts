import type { Transaction } from "kysely";
import { type AuditedCall, auditTrail } from "../../runtime/audit/audit.ts";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { isUniqueViolation } from "../../runtime/db/sql.ts";
import type { OrderContext } from "../context.ts";
import type { OrderDatabase } from "../db/schema.ts";
import type { Change } from "../domain/changes.ts";
import { newOrder } from "../domain/new-order.ts";
import { type Order, orderName } from "../domain/order.ts";
import type { Pricing } from "../domain/pricing.ts";
import { externalIdTaken } from "../errors.ts";
import { type Placement, startOrders } from "../saga/start-order.ts";
import { findOrdersByExternalId } from "../store/orders.ts";
import type { OrderDraft } from "./order-draft.ts";

/** A priced draft. */
export type PricedDraft = Extract<Pricing, { ok: true }> & { readonly draft: OrderDraft };

/** Creates the order of a draft, with a new id, at the current time. */
export function toPlacement(
  { ids, clock, config }: Pick<OrderContext, "ids" | "clock" | "config">,
  context: AuditedCall,
  { draft, lines, totals }: PricedDraft,
): Placement {
  const principal = principalOf(context);
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
  const audit = namesPrices(draft) ? auditTrail(context, { resource: name, aggregate: name, details }) : [];
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
 * Places the orders in the caller's transaction.
 *
 * @throws ConnectError ALREADY_EXISTS naming the order that has one of the external_ids
 */
export async function placeAll(
  trx: Transaction<OrderDatabase>,
  ctx: OrderContext,
  placements: readonly Placement[],
): Promise<void> {
  try {
    await startOrders(trx, ctx, placements);
  } catch (error) {
    if (!isUniqueViolation(error)) {
      throw error;
    }
    const [taken] = await takenExternalIds(
      trx,
      placements.map(({ change }) => change.order),
    );
    throw taken === undefined ? error : externalIdTaken(taken);
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
