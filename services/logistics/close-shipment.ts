import type { Transaction } from "kysely";
import { changeProgress } from "./apply-tracking-updates.ts";
import type { LogisticsContext } from "./context.ts";
import type { LogisticsDatabase } from "./db/schema.ts";
import type { ClosingState, StoredShipment } from "./domain/shipment.ts";
import { setRestocked } from "./store/shipments.ts";

/** How a shipment is closed. */
export interface CloseOptions {
  readonly as: ClosingState;
  /** Of what came back, what cannot be sold again: units by line. */
  readonly writtenOff?: ReadonlyMap<string, number>;
  /** Why; empty for no reason given. */
  readonly note: string;
}

/**
 * Closes a shipment that the transaction has locked and that can be closed, for good. Its goods count as collected, so that
 * what was lost has left the stock, and what came back but is not written off goes into it again.
 */
export async function closeShipment(
  logistics: LogisticsContext,
  trx: Transaction<LogisticsDatabase>,
  shipment: StoredShipment,
  { as, writtenOff = new Map(), note }: CloseOptions,
): Promise<StoredShipment> {
  const closedAt = logistics.clock.now().getTime();
  const restocked = as === "RETURNED" ? unitsBack(shipment, writtenOff) : new Map<string, number>();
  const lines = await setRestocked(trx, shipment, restocked);
  const eventId = "docket:closed";
  const message = note || `closed as ${as.toLowerCase()}`;
  const event = { eventId, status: "closed", state: as, message, location: "", occurredAt: closedAt } as const;
  const told = { state: as, at: closedAt, eventId } as const;
  const progress = { ...shipment.progress, told, collected: true, decided: true, closedAt };
  const change = { cancelRequested: false, failures: 0, dueInMs: null } as const;
  return changeProgress(logistics, trx, { ...shipment, lines }, progress, [event], change);
}

function unitsBack({ lines }: StoredShipment, writtenOff: ReadonlyMap<string, number>): Map<string, number> {
  return new Map(
    lines
      .map(({ lineItemId, quantity }) => [lineItemId, quantity - (writtenOff.get(lineItemId) ?? 0)] as const)
      .filter(([, units]) => units > 0),
  );
}
