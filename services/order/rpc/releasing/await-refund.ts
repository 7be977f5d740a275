import type { SagaStatus } from "../../../runtime/saga/saga.ts";
import type { OrderContext } from "../../context.ts";
import type { Order } from "../../domain/order.ts";
import { effectiveState } from "../../domain/order-state.ts";
import { owesMoney } from "../../domain/owed-money.ts";
import { cancellationInProgress } from "../../errors.ts";

/** How long a release waits for the saga that refunds the order's money to end or to stop. */
const WAIT_MS = 5_000;
const LOOK_MS = 50;

const atWork: ReadonlySet<SagaStatus | undefined> = new Set<SagaStatus>(["RUNNING", "WAITING", "COMPENSATING"]);

/**
 * Returns the order once no saga is refunding its money. A saga that has seen the failed refund ends without trying
 * again, so a retry that was requested before its end would be lost.
 *
 * @throws ConnectError ABORTED, reason CANCELLATION_IN_PROGRESS, if that takes longer than five seconds
 */
export async function awaitRefund(ctx: OrderContext, order: Order, signal: AbortSignal): Promise<Order | undefined> {
  const until = ctx.clock.monotonicMs() + WAIT_MS;
  let current: Order | undefined = order;
  while (current?.state === "NEEDS_ATTENTION" && owesMoney(current) && (await isAtWork(ctx, current))) {
    if (ctx.clock.monotonicMs() >= until) {
      throw cancellationInProgress(current);
    }
    await ctx.changed.wait(current.id, LOOK_MS, signal);
    signal.throwIfAborted();
    current = await ctx.reads.find(order);
  }
  return current;
}

async function isAtWork({ sagas }: OrderContext, order: Order): Promise<boolean> {
  const refunding = [effectiveState(order) === "CANCELLING" ? order.sagaId : undefined, order.lateSagaId];
  for (const sagaId of refunding) {
    if (sagaId !== undefined && atWork.has((await sagas.get(sagaId))?.status)) {
      return true;
    }
  }
  return false;
}
