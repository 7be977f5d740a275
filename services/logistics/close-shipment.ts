import type { Transaction } from "kysely";
import { changeProgress } from "./apply-tracking-updates.ts";
import type { LogisticsContext } from "./context.ts";
import type { LogisticsDatabase } from "./db/schema.ts";
import type { ClosingState, StoredShipment } from "./domain/shipment.ts";
import { setRestocked } from "./store/shipped-units.ts";

/** Options of {@link closeShipment}. */
export interface CloseOptions {
  readonly as: ClosingState;
  /** Returned units that cannot be sold again, by line item id. */
  readonly writtenOff?: ReadonlyMap<string, number>;
  /** The reason, or an empty string. */
  readonly note: string;
}

/**
 * Closes a shipment that is locked by the transaction and can be closed. Final. The goods count as collected: lost
 * units have left the stock, and returned units go back into it unless they are written off.
 */
export async function closeShipment(
  ctx: LogisticsContext,
  trx: Transaction<LogisticsDatabase>,
  shipment: StoredShipment,
  { as, writtenOff = new Map(), note }: CloseOptions,
): Promise<StoredShipment> {
  const closedAt = ctx.clock.now().getTime();
  const restocked = as === "RETURNED" ? unitsBack(shipment, writtenOff) : new Map<string, number>();
  const lines = await setRestocked(trx, shipment, restocked);
  const eventId = "docket:closed";
  const message = note || `closed as ${as.toLowerCase()}`;
  const event = { eventId, status: "closed", state: as, message, location: "", occurredAt: closedAt } as const;
  const reported = { state: as, at: closedAt, eventId } as const;
  const progress = { ...shipment.progress, reported, collected: true, decided: true, closedAt };
  const change = { cancelRequested: false, failures: 0, dueInMs: null } as const;
  return changeProgress(ctx, trx, { ...shipment, lines }, progress, [event], change);
}

function unitsBack({ lines }: StoredShipment, writtenOff: ReadonlyMap<string, number>): Map<string, number> {
  return new Map(
    lines
      .map(({ lineItemId, quantity }) => [lineItemId, quantity - (writtenOff.get(lineItemId) ?? 0)] as const)
      .filter(([, units]) => units > 0),
  );
}
