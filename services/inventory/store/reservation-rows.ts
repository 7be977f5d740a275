import type { Selectable } from "kysely";
import type { ReservationLinesTable, ReservationsTable } from "../db/schema.ts";
import type { ReservationValue } from "../domain/reservation.ts";

/** Converts a row of `reservations` and its lines to a domain reservation. */
export function toReservation(
  row: Selectable<ReservationsTable>,
  lines: readonly Selectable<ReservationLinesTable>[],
): ReservationValue {
  return {
    tenant: row.tenant_id,
    id: row.id,
    order: row.order_name,
    state: row.state,
    lines: lines.map(({ sku, quantity, consumed }) => ({
      sku,
      quantity: BigInt(quantity),
      consumed: BigInt(consumed),
    })),
    expiresAt: row.expires_at ?? undefined,
    revision: row.revision,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
