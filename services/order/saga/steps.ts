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
import type { OrderContext } from "../context.ts";
import type { Stamp } from "../domain/changes.ts";
import { type Automation, orderName, paymentName, reservationName, type Shortage } from "../domain/order.ts";
import { minorOf } from "../payment-funds.ts";
import { type Refusal, rejectionOr, shortagesOf } from "./rpc-outcome.ts";

/** State shared by both sagas of an order. */
export interface OrderSagaState {
  readonly orderId: string;
  /** The items to reserve, as named by the lines. */
  readonly items: readonly { readonly sku: string; readonly quantity: number }[];
  readonly fulfillment: Automation;
  /** The first and the last attempted reservation. */
  readonly firstReservation: number;
  readonly lastReservation: number;
  /** SKUs whose stock was short. */
  readonly shortages?: readonly Shortage[];
  /** Captured money whose refund is pending since the payment was settled, in minor units. */
  readonly settledCaptured?: bigint;
  /** Why a due refund failed; undefined if it did not. */
  readonly owed?: string;
}

type Outcome<State> = StepOutcome<State>;

/** The order needs attention if a dependency is unavailable this long: 40 attempts take about a quarter of an hour. */
export const dependencyRetryPolicy = {
  retry: { maxAttempts: 40, initialMs: 100, maxMs: 30_000 },
  whenExhausted: "needs-attention",
} as const;

/** Actor and time of a change made by the order service itself. */
export function systemStamp({ clock }: Pick<OrderContext, "clock">): Stamp {
  return { actor: "service:order", at: clock.now().getTime() };
}

/**
 * Reserves the saga's items under its last reservation's name; undefined once they are reserved. An expired or released
 * reservation of that name is replaced by one of the next name, in the step's next attempt. Fails with OUT_OF_STOCK,
 * with the SKUs in the state.
 */
export async function reserve<State extends OrderSagaState>(
  ctx: OrderContext,
  { state, tenant, signal }: StepContext<State>,
  untilMs: number,
): Promise<Outcome<State> | undefined> {
  const { orderId, items, lastReservation: attempt } = state;
  const reserved = await reserveUntil(ctx, { tenant, orderId, items, attempt, untilMs }, signal);
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

/** The items of an order to reserve, the reservation's name, and the expiry in epoch milliseconds. */
export interface WantedHold extends Pick<OrderSagaState, "orderId" | "items"> {
  readonly tenant: string;
  readonly attempt: number;
  readonly untilMs: number;
}

/** Reserves stock, or extends a reservation, until a time plus the configured slack. */
export function reserveUntil(
  { clients, clock, config }: Pick<OrderContext, "clients" | "clock" | "config">,
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

/** Whether the rejection means that the reservation has ended permanently. */
export function isGone({ reason }: Refusal): boolean {
  return reason === "RESERVATION_EXPIRED" || reason === "RESERVATION_RELEASED";
}

/** Releases every reservation that this saga, or a release of the order from hold, may have made; the last first. */
export async function releaseReservations(
  ctx: OrderContext,
  { state, tenant, signal }: CompensationContext<OrderSagaState>,
): Promise<void> {
  const order = await ctx.reads.find({ tenant, id: state.orderId });
  const last = Math.max(state.lastReservation, order?.reservationAttempt ?? 0);
  for (let attempt = last; attempt >= state.firstReservation; attempt--) {
    const name = reservationName(state.orderId, attempt);
    await ctx.clients.inventory.for(tenant).releaseReservation({ name }, { signal });
  }
}

/**
 * Refunds the money. If neither the buyer nor the merchant requested the cancellation, a late payment is kept and
 * reported, so that the order can be resumed. A rejected refund does not stop the saga: the state says why money is
 * owed. A refund that was rejected earlier is retried, once in each run of the step.
 */
export async function settlePayment<State extends OrderSagaState>(
  ctx: OrderContext,
  { state, tenant, attempt, signal }: CompensationContext<State>,
  keepLateMoney: boolean,
  amount?: Money,
): Promise<State> {
  const payments = ctx.clients.payment.for(tenant);
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

/** Whether the cancellation was not requested, so that a late payment may resume the order. */
export async function mayComeBack(
  { reads }: OrderContext,
  { state, tenant }: CompensationContext<OrderSagaState>,
): Promise<boolean> {
  const order = await reads.find({ tenant, id: state.orderId });
  const reason = order?.cancelReason;
  return reason !== "REQUESTED" && reason !== "SHIPMENT_FAILED";
}
