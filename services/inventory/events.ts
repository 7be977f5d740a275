import { create } from "@bufbuild/protobuf";
import { ReservationExpiredSchema, StockChangedSchema } from "../../gen/docket/inventory/v1/inventory_events_pb.js";
import { type OutboxEvent, outboxEvent } from "../runtime/outbox/outbox.ts";
import type { StoredItem } from "./domain/item.ts";
import type { ReservationValue } from "./domain/reservation.ts";
import { itemName, reservationName, toItemMessage, toReservationMessage } from "./messages.ts";

/** An item's stock changed. Carries the current item, which is also the aggregate. */
export function stockChanged(item: StoredItem): OutboxEvent {
  const event = create(StockChangedSchema, { item: toItemMessage(item) });
  return outboxEvent(StockChangedSchema, event, { tenant: item.tenant, aggregate: itemName(item.sku) });
}

/** A held reservation expired. The aggregate is the reservation. */
export function reservationExpired(reservation: ReservationValue): OutboxEvent {
  const event = create(ReservationExpiredSchema, { reservation: toReservationMessage(reservation) });
  const aggregate = reservationName(reservation.id);
  return outboxEvent(ReservationExpiredSchema, event, { tenant: reservation.tenant, aggregate });
}
