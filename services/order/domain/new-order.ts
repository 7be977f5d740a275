import { type Change, placed } from "./changes.ts";
import type { Address, Automation, Customer, Order, OrderLine } from "./order.ts";
import { noFunds, paymentStateOf } from "./payment-state.ts";
import type { Totals } from "./totals.ts";

/** Input of a new order. */
export interface NewOrder {
  readonly tenant: string;
  readonly id: string;
  readonly externalId: string;
  readonly currency: string;
  readonly customer: Customer;
  readonly shippingAddress: Address;
  readonly lines: readonly OrderLine[];
  readonly totals: Totals;
  readonly capture: Automation;
  readonly fulfillment: Automation;
  readonly paymentProvider: string;
  readonly carrier: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly note: string;
  readonly paymentDeadlineAt: number;
  readonly at: number;
  readonly actor: string;
}

/** Creates the first version of an order. Its saga has the order's id. */
export function newOrder(wanted: NewOrder): Change {
  const { totals, at, actor, tenant, id } = wanted;
  const order: Order = {
    tenant,
    id,
    externalId: wanted.externalId,
    state: "PLACING",
    resume: undefined,
    paymentState: paymentStateOf(totals.total, noFunds),
    customer: wanted.customer,
    shippingAddress: wanted.shippingAddress,
    currency: wanted.currency,
    lines: wanted.lines,
    ...totals,
    ...noFunds,
    capture: wanted.capture,
    fulfillment: wanted.fulfillment,
    paymentProvider: wanted.paymentProvider,
    carrier: wanted.carrier,
    labels: wanted.labels,
    note: wanted.note,
    paymentAction: undefined,
    cancelReason: undefined,
    shortages: [],
    attentionMessage: "",
    paymentDeadlineAt: wanted.paymentDeadlineAt,
    heldAt: undefined,
    sagaId: id,
    lateSagaId: undefined,
    linesSagaId: undefined,
    cancelledTotal: 0n,
    shipmentAnnouncements: 0,
    reservationAttempt: 1,
    anonymizedAt: undefined,
    createdAt: at,
    updatedAt: at,
    version: 1,
  };
  return placed(order, { actor });
}
