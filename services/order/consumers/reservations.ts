import { ReservationExpiredSchema } from "../../../gen/docket/inventory/v1/inventory_events_pb.js";
import { parseName } from "../../runtime/api/resource-name.ts";
import type { EventBus } from "../../runtime/bus/event-bus.ts";
import { type Consumer, createConsumer } from "../../runtime/inbox/consumer.ts";
import { on } from "../../runtime/inbox/handlers.ts";
import type { OrderContext } from "../context.ts";
import { note } from "../domain/changes.ts";
import { reservationName } from "../domain/order.ts";
import { effectiveState } from "../domain/order-state.ts";
import { changeOrder } from "../store/orders.ts";

/** Records on an unpaid order's timeline that its reservation has expired. */
export function createReservationConsumer(ctx: OrderContext, bus: EventBus): Consumer {
  const { db, log, ids } = ctx;
  return createConsumer({
    db,
    bus,
    log,
    ids,
    consumer: "order.reservations",
    handlers: [
      on(ReservationExpiredSchema, async (trx, { reservation }, { tenant }) => {
        const id = parseName("orders/{order}", reservation?.order ?? "")?.order;
        if (reservation === undefined || id === undefined) {
          return;
        }
        await changeOrder(trx, ctx, { tenant, id }, (order) => {
          const { name } = reservation;
          const isCurrent = name === reservationName(order.id, order.reservationAttempt);
          return isCurrent && effectiveState(order) === "AWAITING_PAYMENT"
            ? [
                note(
                  order,
                  {
                    type: "StockReservationExpired",
                    message: "The stock is no longer held.",
                    metadata: { reservation: name },
                  },
                  { actor: "service:inventory", at: ctx.clock.now().getTime() },
                ),
              ]
            : [];
        });
      }),
    ],
  });
}
