import { done, later, type SagaStep, type StepContext } from "../../runtime/saga/definition.ts";
import type { OrderContext } from "../context.ts";
import { advance, type TimelineEvent } from "../domain/changes.ts";
import { reservationName } from "../domain/order.ts";
import type { OrderTrigger } from "../domain/order-state.ts";
import { changeOrder } from "../store/change-order.ts";
import { rejectionOr } from "./rpc-outcome.ts";
import { dependencyRetryPolicy, isGone, type OrderSagaState, reserve, systemStamp } from "./steps.ts";

export interface CommitStockOptions {
  /** How long stock is reserved again until it is committed, besides the slack of every reservation. */
  readonly holdMs: number;
  /** The order's transition when its stock is committed. */
  readonly trigger: OrderTrigger;
  /** The timeline event of it, in a saga with this id. */
  readonly happening: (sagaId: string) => TimelineEvent;
}

/**
 * Commits the saga's last reservation and applies the order's transition. If the reservation has expired, reserves the
 * stock again under the next name and commits that; fails with OUT_OF_STOCK if that is impossible.
 */
export function commitStock<State extends OrderSagaState>(
  ctx: OrderContext,
  { holdMs, trigger, happening }: CommitStockOptions,
): SagaStep<State> {
  return {
    name: "commit-stock",
    ...dependencyRetryPolicy,
    async invoke(context) {
      const { state, tenant, sagaId } = context;
      const { orderId, lastReservation } = state;
      if (lastReservation > state.firstReservation) {
        const unreserved = await reserve(ctx, context, ctx.clock.now().getTime() + holdMs);
        if (unreserved !== undefined) {
          return unreserved;
        }
      }
      if (!(await commitReservation(ctx, context))) {
        return later(0, { state: { ...state, lastReservation: lastReservation + 1 } });
      }
      const { patch, ...event } = happening(sagaId);
      return done({
        command: changeOrder(ctx, { tenant, id: orderId }, (order) => [
          advance(
            order,
            trigger,
            {
              ...event,
              metadata: { reservation: reservationName(order.id, lastReservation) },
              patch: { ...patch, reservationAttempt: lastReservation },
            },
            systemStamp(ctx),
          ),
        ]),
      });
    },
  };
}

/** Commits the last reservation; returns false if it has expired. */
async function commitReservation(
  ctx: OrderContext,
  { state, tenant, signal }: StepContext<OrderSagaState>,
): Promise<boolean> {
  const name = reservationName(state.orderId, state.lastReservation);
  const committed = await rejectionOr(ctx.clients.inventory.for(tenant).commitReservation({ name }, { signal }));
  if ("answer" in committed) {
    return true;
  }
  if (!isGone(committed.refusal) && committed.refusal.reason !== "RESOURCE_NOT_FOUND") {
    throw committed.refusal.error;
  }
  return false;
}
