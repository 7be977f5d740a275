import type { ServiceImpl } from "@connectrpc/connect";
import type { Order as OrderMessage } from "../../../gen/docket/order/v1/order_pb.js";
import { type CancelledLine, OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { checkEtag } from "../../runtime/api/etag.ts";
import type { Command } from "../../runtime/commands/command.ts";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { invalidArgument } from "../../runtime/errors.ts";
import { prepareAndExecuteOnce } from "../../runtime/idempotency/execute-once.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import { amountText } from "../../runtime/values/amount-text.ts";
import type { OrderContext } from "../context.ts";
import { cancelLines, type LinesCancelled } from "../domain/cancel-lines.ts";
import { linesCancelled } from "../domain/changes.ts";
import { dueOf, type Order, orderName } from "../domain/order.ts";
import { paymentStateOf } from "../domain/payment-state.ts";
import { linesBusy, nothingLeft, tooManyUnits, wrongState } from "../errors.ts";
import { orderIdOf, toOrderMessage } from "../messages.ts";
import { giveLinesBackSaga } from "../saga/give-lines-back.ts";
import { closedBySku, shippedByLine } from "../shipment-units.ts";
import { needOrder, recordChanges } from "../store/change-order.ts";
import { existingOrder } from "./changing/existing-order.ts";
import { checkFence, type FencedShipments, fenceShipments, mayHaveShipments } from "./fencing/fence-shipments.ts";
import { retryIfChanged } from "./fencing/retry-if-changed.ts";

/**
 * Cancels units that are in no shipment, by the logistics service's own books. The order's lines and amount due change
 * at once; a saga started in the same transaction releases the stock and refunds the money.
 */
export function cancelOrderLines(ctx: OrderContext): ServiceImpl<typeof OrderService>["cancelOrderLines"] {
  const method = OrderService.method.cancelOrderLines;
  return async (request, call) => {
    const principal = principalOf(call);
    const { tenant } = principal;
    const id = orderIdOf(request.name);
    const wanted = wantedUnits(request.lines);
    const mutation = { tenant, method, requestId: idempotencyKeyOf(request, call), request, clock: ctx.clock };

    const sagaId = ctx.ids.next();

    const cancel = (fenced: FencedShipments | undefined): Command<OrderMessage> => ({
      keys: (need) => needOrder(need, { tenant, id }),
      decide(batch) {
        const before = existingOrder(batch, { tenant, id });
        checkEtag(request.etag, before.version);
        if (!mayHaveShipments(before)) {
          throw wrongState(before, "CancelOrderLines");
        }
        if (before.linesSagaId !== undefined) {
          throw linesBusy(before);
        }
        const shipments = checkFence(before, fenced);
        const { lines, amount } = orThrow(before, cancelLines(before.lines, shippedByLine(shipments), wanted));
        const cancelledTotal = before.cancelledTotal + amount;
        const change = linesCancelled(
          before,
          {
            type: "OrderLinesCancelled",
            message: request.note || "Units were cancelled.",
            metadata: {
              lines: wanted.map(({ lineId, quantity }) => `${lineId}:${quantity}`).join(","),
              amount: amountText(before.currency, amount),
              saga: `sagas/${sagaId}`,
            },
            lines,
            patch: {
              cancelledTotal,
              linesSagaId: sagaId,
              paymentState: paymentStateOf(dueOf({ ...before, cancelledTotal }), before),
            },
          },
          { actor: actorOf(principal), at: ctx.clock.now().getTime() },
        );
        ctx.sagas.inBatch.start(batch, {
          definition: giveLinesBackSaga,
          id: sagaId,
          tenant,
          aggregate: orderName(before),
          state: { orderId: id, amount, closed: [...closedBySku(shipments)], note: request.note },
        });
        return toOrderMessage(recordChanges(batch, ctx, before, [change]));
      },
    });

    const prepare = () => fenceShipments(ctx, { tenant, id, call });
    return retryIfChanged(() => prepareAndExecuteOnce(ctx.commands, mutation, { prepare, command: cancel }));
  };
}

function wantedUnits(lines: readonly CancelledLine[]) {
  const seen = new Set<string>();
  const repeated = lines.flatMap(({ lineItemId }, i) => {
    const again = seen.has(lineItemId);
    seen.add(lineItemId);
    return again ? [{ field: `lines[${i}].line_item_id`, description: "repeats a line" }] : [];
  });
  if (repeated.length > 0) {
    throw invalidArgument(repeated);
  }
  return lines.map(({ lineItemId, quantity }) => ({ lineId: lineItemId, quantity }));
}

function orThrow(order: Order, outcome: LinesCancelled): Extract<LinesCancelled, { kind: "cancelled" }> {
  switch (outcome.kind) {
    case "cancelled":
      return outcome;
    case "unknown":
      throw invalidArgument(
        outcome.lineIds.map((id) => ({
          field: "lines.line_item_id",
          description: `the order has no line ${JSON.stringify(id)}`,
        })),
      );
    case "too-many":
      throw tooManyUnits(order, outcome.excesses);
    case "nothing-left":
      throw nothingLeft(order);
    default:
      return outcome satisfies never;
  }
}
