import { ReservationExpiredSchema } from "../../../gen/docket/inventory/v1/inventory_events_pb.js";
import type { Reservation } from "../../../gen/docket/inventory/v1/inventory_pb.js";
import { parseName } from "../../runtime/api/resource-name.ts";
import type { EventBus } from "../../runtime/bus/event-bus.ts";
import type { Command } from "../../runtime/commands/command.ts";
import { type Consumer, createConsumer } from "../../runtime/inbox/consumer.ts";
import { onAsCommand } from "../../runtime/inbox/handlers.ts";
import type { OrderContext } from "../context.ts";
import { note } from "../domain/changes.ts";
import { reservationName } from "../domain/order.ts";
import { effectiveState } from "../domain/order-state.ts";
import { changeOrder } from "../store/change-order.ts";

/** Records on an unpaid order's timeline that its reservation has expired. */
export function createReservationConsumer(ctx: OrderContext, bus: EventBus): Consumer {
  const { db, runCommands, log, ids } = ctx;
  return createConsumer({
    db,
    bus,
    log,
    ids,
    runCommands,
    consumer: "order.reservations",
    handlers: [
      onAsCommand(
        ReservationExpiredSchema,
        async (_, received) =>
          received.map(({ message: { reservation }, event: { tenant } }) =>
            noteExpiry(ctx, tenant, reservation as Reservation),
          ),
        ({ reservation }) => orderIdOf(reservation) !== undefined,
      ),
    ],
  });
}

function noteExpiry(ctx: Pick<OrderContext, "clock" | "changed">, tenant: string, reservation: Reservation) {
  const { name } = reservation;
  const moment = { actor: "service:inventory", at: ctx.clock.now().getTime() };
  const happening = {
    type: "StockReservationExpired",
    message: "The stock is no longer held.",
    metadata: { reservation: name },
  };
  const key = { tenant, id: orderIdOf(reservation) ?? "" };
  return changeOrder(ctx, key, (order) =>
    name === reservationName(order.id, order.reservationAttempt) && effectiveState(order) === "AWAITING_PAYMENT"
      ? [note(order, happening, moment)]
      : [],
  ) satisfies Command<unknown>;
}

function orderIdOf(reservation: Reservation | undefined): string | undefined {
  return parseName("orders/{order}", reservation?.order ?? "")?.order;
}
