import { type AuditedCall, auditTrail } from "../../../runtime/audit/audit.ts";
import { actorOf, principalOf } from "../../../runtime/context-values.ts";
import type { OutboxEvent } from "../../../runtime/outbox/outbox.ts";
import type { OrderContext } from "../../context.ts";
import type { Change } from "../../domain/changes.ts";
import { newOrder } from "../../domain/new-order.ts";
import { orderName } from "../../domain/order.ts";
import type { Pricing } from "../../domain/pricing.ts";
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
export function newPlacement(
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
