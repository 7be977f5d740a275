import type { Batch } from "../../runtime/commands/command.ts";
import { done, type SagaDefinition, type SagaKind, type SagaStep } from "../../runtime/saga/definition.ts";
import type { Saga } from "../../runtime/saga/saga.ts";
import { toMoney } from "../../runtime/values/money.ts";
import type { OrderContext } from "../context.ts";
import { advance, type Change, derivedTransitions, note } from "../domain/changes.ts";
import { dueOf, type Order, paymentName } from "../domain/order.ts";
import { changeInBatch } from "../store/change-order.ts";
import { needOrderOf } from "./hooks.ts";
import { fundsLeft } from "./late-payment.ts";
import { resizeReservation } from "./resize-reservation.ts";
import { rejectionOr } from "./rpc-outcome.ts";
import { dependencyRetryPolicy, systemStamp } from "./steps.ts";

/** State of the saga. */
export interface GiveLinesBackState {
  readonly orderId: string;
  /** Amount by which the cancelled lines reduced the order's total, in minor units. */
  readonly amount: bigint;
  /** Units by SKU in shipments closed before. */
  readonly closed: readonly (readonly [sku: string, units: bigint])[];
  /** The reason, for the refund; empty for none. */
  readonly note: string;
}

export const giveLinesBackSaga: SagaKind<GiveLinesBackState> = { name: "give-lines-back", version: 1 };

type Step = SagaStep<GiveLinesBackState>;

/** Releases the stock of an order's cancelled lines, then refunds their money. A failure needs attention. */
export function giveLinesBack(ctx: OrderContext): SagaDefinition<GiveLinesBackState> {
  const change = (
    batch: Batch,
    { tenant, state }: Saga<GiveLinesBackState>,
    decide: (order: Order) => readonly Change[],
  ): void => {
    changeInBatch(batch, ctx, { tenant, id: state.orderId }, decide);
  };

  const ended = (order: Order, type: string, message: string): Change[] => {
    const moment = systemStamp(ctx);
    const noted = note(order, { type, message, patch: { linesSagaId: undefined } }, moment);
    return [noted, ...derivedTransitions(noted.order, moment)];
  };

  return {
    ...giveLinesBackSaga,
    steps: [releaseStock(ctx), refund(ctx)],
    hooks: {
      keys: needOrderOf,
      onSucceeded: (batch, saga) =>
        change(batch, saga, (order) =>
          ended(order, "LinesGivenBack", "The cancelled units were returned to stock and refunded."),
        ),
      onCompensated: (batch, saga) =>
        change(batch, saga, (order) =>
          ended(order, "LinesNotGivenBack", "The return of the cancelled units was abandoned."),
        ),
      onNeedsAttention: (batch, saga) =>
        change(batch, saga, (order) => {
          const { step = saga.step, message = "" } = saga.failure ?? {};
          const attentionMessage = `${saga.definition} stopped at ${step}: ${message}`;
          const happening = { type: "OrderNeedsAttention", message: attentionMessage, patch: { attentionMessage } };
          return [
            advance(order, "FAIL", { ...happening, metadata: { saga: `sagas/${saga.id}`, step } }, systemStamp(ctx)),
          ];
        }),
      onRetried: (batch, saga) =>
        change(batch, saga, (order) =>
          order.state === "NEEDS_ATTENTION"
            ? [
                advance(
                  order,
                  "RELEASE",
                  { type: "OrderReleased", message: "The return of the cancelled units is being retried." },
                  systemStamp(ctx),
                ),
              ]
            : [],
        ),
    },
  };
}

function releaseStock(ctx: OrderContext): Step {
  return {
    name: "release-stock",
    ...dependencyRetryPolicy,
    async invoke({ state, tenant, signal }) {
      const order = await ctx.reads.find({ tenant, id: state.orderId });
      if (order !== undefined) {
        const inventory = ctx.clients.inventory.for(tenant);
        await resizeReservation(inventory, order, new Map(state.closed), { giveBackOnly: true, signal });
      }
      return done();
    },
  };
}

/**
 * Refunds what was captured beyond the amount due, at most the cancelled amount: an earlier manual refund is not
 * repeated, and money that is only authorized cannot be refunded. Each attempt reads the payment first, so that it
 * finds a refund whose response was lost; a refund that the provider rejected is requested again under another key.
 */
function refund(ctx: OrderContext): Step {
  return {
    name: "refund",
    retry: { maxAttempts: 10, initialMs: 500, maxMs: 60_000 },
    whenExhausted: "needs-attention",
    timeoutMs: 30_000,
    async invoke({ state, tenant, signal, idempotencyKey }) {
      const order = await ctx.reads.find({ tenant, id: state.orderId });
      const payments = ctx.clients.payment.for(tenant);
      const name = paymentName(state.orderId);
      const read = await rejectionOr(payments.getPayment({ name }, { signal }));
      if (order === undefined || "refusal" in read) {
        return done();
      }
      const { captured, refunded } = fundsLeft(read.answer);
      const excess = captured - refunded - dueOf(order);
      const minor = least(excess, state.amount);
      if (minor > 0n) {
        const reason = state.note.slice(0, 255) || "units were cancelled";
        const requestId = `${idempotencyKey}/${read.answer.refunds.length}`;
        const amount = toMoney({ currency: order.currency, minor });
        await payments.refundPayment({ name, amount, reason, requestId }, { signal });
      }
      return done();
    },
  };
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
