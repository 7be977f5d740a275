import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Payment } from "../../../gen/docket/payment/v1/payment_pb.js";
import type { Money } from "../../../gen/google/type/money_pb.js";
import {
  type CompensationContext,
  later,
  refused,
  type StepContext,
  type StepOutcome,
} from "../../runtime/saga/definition.ts";
import type { OrderDatabase } from "../db/schema.ts";
import type { Stamp } from "../domain/changes.ts";
import { type Automation, orderName, paymentName, reservationName, type Shortage } from "../domain/order.ts";
import type { OrderParts } from "../parts.ts";
import { minorOf } from "../payment-funds.ts";
import { findOrder } from "../store/orders.ts";
import { type Refusal, rejectionOr, shortagesOf } from "./rpc-outcome.ts";

/** What both sagas of an order carry. */
export interface OrderSagaState {
  readonly orderId: string;
  /** What to hold, as the lines name it. */
  readonly items: readonly { readonly sku: string; readonly quantity: number }[];
  readonly fulfillment: Automation;
  /** The first and the last reservation that was, or is about to be, tried. */
  readonly firstReservation: number;
  readonly lastReservation: number;
  /** Of what there was not enough. */
  readonly shortages?: readonly Shortage[];
  /** What had been captured, and is on its way back since the payment was settled, in minor units. */
  readonly settledCaptured?: bigint;
  /** Why money that should have gone back did not; undefined where it did. */
  readonly owed?: string;
}

type Outcome<State> = StepOutcome<State, OrderDatabase>;

/** A person must look when a dependency stays away this long: 40 attempts are about a quarter of an hour. */
export const dependencyRetryPolicy = {
  retry: { maxAttempts: 40, initialMs: 100, maxMs: 30_000 },
  whenExhausted: "needs-attention",
} as const;

/** What the order service itself does now. */
export function systemStamp({ clock }: Pick<OrderParts, "clock">): Stamp {
  return { actor: "service:order", at: clock.now().getTime() };
}

/**
 * Holds the saga's items under its last reservation's name; undefined once they are held. A reservation of that name that
 * has expired or was released is replaced by one of the next name, with the step's next attempt. Refused as OUT_OF_STOCK
 * with the SKUs in the state.
 */
export async function reserve<State extends OrderSagaState>(
  parts: OrderParts,
  { state, tenant, signal }: StepContext<State>,
  untilMs: number,
): Promise<Outcome<State> | undefined> {
  const { orderId, items, lastReservation: attempt } = state;
  const reserved = await reserveUntil(parts, { tenant, orderId, items, attempt, untilMs }, signal);
  if ("answer" in reserved) {
    return undefined;
  }
  const { refusal } = reserved;
  if (isGone(refusal)) {
    return later(0, { state: { ...state, lastReservation: state.lastReservation + 1 } });
  }
  if (refusal.reason !== "OUT_OF_STOCK") {
    throw refusal.error;
  }
  return refused("OUT_OF_STOCK", {
    message: refusal.message,
    state: { ...state, shortages: shortagesOf(refusal.error) },
  });
}

/** What to hold for an order, under which of its reservations' names, and until when in epoch milliseconds. */
export interface WantedHold extends Pick<OrderSagaState, "orderId" | "items"> {
  readonly tenant: string;
  readonly attempt: number;
  readonly untilMs: number;
}

/** Holds stock, or extends a hold, until a moment and the configured slack after it. */
export function reserveUntil(
  { clients, clock, config }: Pick<OrderParts, "clients" | "clock" | "config">,
  { tenant, orderId, items, attempt, untilMs }: WantedHold,
  signal: AbortSignal,
) {
  const ttlMs = Math.max(0, untilMs - clock.now().getTime()) + config.reservationSlackMs;
  const request = {
    name: reservationName(orderId, attempt),
    order: orderName(orderId),
    items: items.map(({ sku, quantity }) => ({ sku, quantity: BigInt(quantity) })),
    ttl: durationFromMs(ttlMs),
  };
  return rejectionOr(clients.inventory.for(tenant).reserveStock(request, { signal }));
}

/** Whether the refusal says that a reservation holds nothing and never will again. */
export function isGone({ reason }: Refusal): boolean {
  return reason === "RESERVATION_EXPIRED" || reason === "RESERVATION_RELEASED";
}

/** Gives every reservation back that this saga, or a release of the order from hold, may have made; the last first. */
export async function releaseReservations(
  parts: OrderParts,
  { state, tenant, signal }: CompensationContext<OrderSagaState>,
): Promise<void> {
  const order = await findOrder(parts.db.kysely, tenant, state.orderId);
  const last = Math.max(state.lastReservation, order?.reservationAttempt ?? 0);
  for (let attempt = last; attempt >= state.firstReservation; attempt--) {
    const name = reservationName(state.orderId, attempt);
    await parts.clients.inventory.for(tenant).releaseReservation({ name }, { signal });
  }
}

/**
 * Gives the money back. Where the buyer or the merchant did not ask for the cancellation, money that comes later is kept
 * and told of, so that the order can still go on. A refund that the provider refuses does not stop the saga: the state
 * says why money is owed. A refund that was refused earlier is retried, once in each run of the step.
 */
export async function settlePayment<State extends OrderSagaState>(
  parts: OrderParts,
  { state, tenant, attempt, signal }: CompensationContext<State>,
  keepLateMoney: boolean,
  amount?: Money,
): Promise<State> {
  const payments = parts.clients.payment.for(tenant);
  const name = paymentName(state.orderId);
  const settle = {
    name,
    reason: "order cancelled",
    keepLateMoney,
    retryRefused: attempt === 1,
    ...(amount && { amount }),
  };
  const settled = await rejectionOr(payments.settlePayment(settle, { signal }));
  if ("answer" in settled) {
    return afterSettling(state, settled.answer, undefined);
  }
  if (settled.refusal.reason !== "REFUND_FAILED") {
    throw settled.refusal.error;
  }
  return afterSettling(state, await payments.getPayment({ name }, { signal }), settled.refusal.message);
}

function afterSettling<State extends OrderSagaState>(
  { owed: _, ...state }: State,
  payment: Payment,
  owed: string | undefined,
): State {
  const settledCaptured = payment.settling ? minorOf(payment.capturedAmount) : 0n;
  return { ...state, settledCaptured, ...(owed !== undefined && { owed }) } as State;
}

/** Whether the cancellation is nobody's wish, so that money that still comes may bring the order back. */
export async function mayComeBack(
  { db }: OrderParts,
  { state, tenant }: CompensationContext<OrderSagaState>,
): Promise<boolean> {
  const order = await findOrder(db.kysely, tenant, state.orderId);
  const reason = order?.cancelReason;
  return reason !== "REQUESTED" && reason !== "SHIPMENT_FAILED";
}
