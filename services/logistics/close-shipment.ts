import type { Batch } from "../runtime/commands/command.ts";
import { changeProgress } from "./apply-tracking-updates.ts";
import type { LogisticsContext } from "./context.ts";
import type { ClosingState, ShippedLine, StoredShipment } from "./domain/shipment.ts";

/** Options of {@link closeShipment}. */
export interface CloseOptions {
  readonly as: ClosingState;
  /** Returned units that cannot be sold again, by line item id. */
  readonly writtenOff?: ReadonlyMap<string, number>;
  /** The reason, or an empty string. */
  readonly note: string;
}

/**
 * Closes a shipment that the command has loaded and that can be closed. Final. The goods count as collected: lost units
 * have left the stock, and returned units go back into it unless they are written off.
 */
export function closeShipment(
  ctx: LogisticsContext,
  batch: Batch,
  shipment: StoredShipment,
  { as, writtenOff = new Map(), note }: CloseOptions,
): StoredShipment {
  const closedAt = ctx.clock.now().getTime();
  const eventId = "docket:closed";
  const message = note || `closed as ${as.toLowerCase()}`;
  const event = { eventId, status: "closed", state: as, message, location: "", occurredAt: closedAt } as const;
  const reported = { state: as, at: closedAt, eventId } as const;
  const progress = { ...shipment.progress, reported, collected: true, decided: true, closedAt };
  const lines = as === "RETURNED" ? shipment.lines.map((line) => restocked(line, writtenOff)) : shipment.lines;
  const change = { lines, cancelRequested: false, failures: 0, dueAt: undefined } as const;
  return changeProgress(ctx, batch, shipment, progress, [event], change);
}

function restocked(line: ShippedLine, writtenOff: ReadonlyMap<string, number>): ShippedLine {
  const units = line.quantity - (writtenOff.get(line.lineItemId) ?? 0);
  return units > 0 ? { ...line, restocked: units } : line;
}
