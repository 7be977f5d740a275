import { done, type SagaDefinition, type SagaStep } from "../../runtime/saga/definition.ts";
import type { Saga } from "../../runtime/saga/saga.ts";
import { toMoney } from "../../runtime/values/money.ts";
import type { OrderDatabase } from "../db/schema.ts";
import { advance, type Change, derivedTransitions, note } from "../domain/changes.ts";
import { dueOf, type Order, paymentName } from "../domain/order.ts";
import type { OrderParts } from "../parts.ts";
import { changeOrder, findOrder } from "../store/orders.ts";
import { fundsLeft } from "./late-payment.ts";
import { resizeReservation } from "./resize-reservation.ts";
import { rejectionOr } from "./rpc-outcome.ts";
import { dependencyRetryPolicy, systemStamp } from "./steps.ts";

/** What the saga carries. */
export interface GiveLinesBackState {
  readonly orderId: string;
  /** What the cancelled lines took off the order's total, in minor units. */
  readonly amount: bigint;
  /** Units by SKU in shipments that were closed before. */
  readonly closed: readonly (readonly [sku: string, units: bigint])[];
  /** Why, for the refund; empty for no reason given. */
  readonly note: string;
}

type Step = SagaStep<GiveLinesBackState, OrderDatabase>;

/** Gives back what cancelled lines of an order held: their stock, then their money. What fails needs attention. */
export function giveLinesBack(parts: OrderParts): SagaDefinition<GiveLinesBackState, OrderDatabase> {
  const change = async (
    trx: Parameters<typeof changeOrder>[0],
    { tenant, state }: Saga<GiveLinesBackState>,
    decide: (order: Order) => readonly Change[],
  ) => void (await changeOrder(trx, parts, { tenant, id: state.orderId }, decide));

  const ended = (order: Order, type: string, message: string): Change[] => {
    const moment = systemStamp(parts);
    const noted = note(order, { type, message, patch: { linesSagaId: undefined } }, moment);
    return [noted, ...derivedTransitions(noted.order, moment)];
  };

  return {
    name: "give-lines-back",
    version: 1,
    steps: [releaseStock(parts), refund(parts)],
    onSucceeded: (trx, saga) =>
      change(trx, saga, (order) => ended(order, "LinesGivenBack", "The cancelled units are given back.")),
    onCompensated: (trx, saga) =>
      change(trx, saga, (order) => ended(order, "LinesNotGivenBack", "Giving the cancelled units back was given up.")),
    onNeedsAttention: (trx, saga) =>
      change(trx, saga, (order) => {
        const { step = saga.step, message = "" } = saga.failure ?? {};
        const attentionMessage = `${saga.definition} stopped at ${step}: ${message}`;
        const happening = { type: "OrderNeedsAttention", message: attentionMessage, patch: { attentionMessage } };
        return [
          advance(order, "FAIL", { ...happening, metadata: { saga: `sagas/${saga.id}`, step } }, systemStamp(parts)),
        ];
      }),
    onRetried: (trx, saga) =>
      change(trx, saga, (order) =>
        order.state === "NEEDS_ATTENTION"
          ? [
              advance(
                order,
                "RELEASE",
                { type: "OrderReleased", message: "The cancelled units are given back once more." },
                systemStamp(parts),
              ),
            ]
          : [],
      ),
  };
}

function releaseStock(parts: OrderParts): Step {
  return {
    name: "release-stock",
    ...dependencyRetryPolicy,
    async invoke({ state, tenant, signal }) {
      const order = await findOrder(parts.db.kysely, tenant, state.orderId);
      if (order !== undefined) {
        const inventory = parts.clients.inventory.for(tenant);
        await resizeReservation(inventory, order, new Map(state.closed), { giveBackOnly: true, signal });
      }
      return done();
    },
  };
}

/**
 * Refunds what is kept beyond what is due, at most the cancelled amount: what somebody has refunded by hand before is not
 * given twice, and of money that is only promised nothing can go back. Each attempt looks at the payment first, so that a
 * refund whose answer was lost is found; a refund that the provider refused is asked for again under another key.
 */
function refund(parts: OrderParts): Step {
  return {
    name: "refund",
    retry: { maxAttempts: 10, initialMs: 500, maxMs: 60_000 },
    whenExhausted: "needs-attention",
    timeoutMs: 30_000,
    async invoke({ state, tenant, signal, idempotencyKey }) {
      const order = await findOrder(parts.db.kysely, tenant, state.orderId);
      const payments = parts.clients.payment.for(tenant);
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
