import type { Batch, Command } from "../runtime/commands/command.ts";
import type { InventoryContext } from "./context.ts";
import {
  isOverdue,
  type ReservationState,
  type ReservationValue,
  transition,
  unitsLeft,
} from "./domain/reservation.ts";
import { reservationNotFound } from "./errors.ts";
import { reservationExpired, stockChanged } from "./events.ts";
import { items, reservations } from "./store/mappings.ts";
import { moveInBatch } from "./store/move-in-batch.ts";
import type { ReservationKey } from "./store/reservations.ts";

/** The actor recorded in the ledger for expiries, which no caller requests. */
const ownActor = "service:inventory";

/** A reservation cannot be closed without its items, which the command did not name. */
interface ItemsNeeded {
  readonly itemsNeeded: readonly string[];
}

interface Closing {
  readonly key: ReservationKey;
  /** The SKUs of the reservation, as far as they are known. They never change once it exists. */
  readonly skus: readonly string[];
  /** By the process's clock, for display. Expiry is decided by the database's clock. */
  readonly nowMs: number;
}

/**
 * Releases a HELD or COMMITTED reservation, except for units that have left the warehouse. A name that was never
 * reserved is stored as RELEASED, so that a late reservation is refused. A closed reservation is returned as it is.
 */
export async function release(
  { commands, clock }: InventoryContext,
  key: ReservationKey,
  { actor, signal }: { actor: string; signal: AbortSignal },
): Promise<ReservationValue> {
  const nowMs = clock.now().getTime();
  return withItems((skus) =>
    commands.execute(releaseCommand({ key, skus, nowMs }, actor), { signal, tenant: key.tenant }),
  );
}

/** Expires a reservation if it is HELD and past its expiry. Returns its resulting state, for the caller's error. */
export async function expireIfOverdue(
  { commands, clock }: InventoryContext,
  key: ReservationKey,
): Promise<ReservationState> {
  const nowMs = clock.now().getTime();
  const { state } = await withItems((skus) =>
    commands.execute(expireCommand({ key, skus, nowMs }), { tenant: key.tenant }),
  );
  // HELD only if the database's clock was set back since the caller's command.
  return state === "HELD" ? "EXPIRED" : state;
}

/** Repeats a command with the items of its reservation, once they are known. */
async function withItems<Result extends object>(
  execute: (skus: readonly string[]) => Promise<Result | ItemsNeeded>,
): Promise<Result> {
  let skus: readonly string[] = [];
  for (;;) {
    const result = await execute(skus);
    if (!("itemsNeeded" in result)) {
      return result;
    }
    skus = result.itemsNeeded;
  }
}

function releaseCommand(closing: Closing, actor: string): Command<ReservationValue | ItemsNeeded> {
  const { tenant, id } = closing.key;
  return {
    keys: (need) => nameRows(need, closing),
    decide(batch) {
      const found = batch.get(reservations, [tenant, id]);
      if (found === undefined) {
        const times = { expiresAt: undefined, createdAt: closing.nowMs, updatedAt: closing.nowMs };
        const tombstone = { tenant, id, order: "", state: "RELEASED", lines: [], revision: 0, ...times } as const;
        batch.insert(reservations, tombstone);
        return tombstone;
      }
      return transition(found.state, "release") === "RELEASED"
        ? close(batch, found, "RELEASED", { ...closing, actor })
        : found;
    },
  };
}

function expireCommand(closing: Closing): Command<ReservationValue | ItemsNeeded> {
  const { tenant, id } = closing.key;
  return {
    keys: (need) => nameRows(need, closing),
    decide(batch) {
      const found = batch.get(reservations, [tenant, id]);
      if (found === undefined) {
        throw reservationNotFound(id);
      }
      return isOverdue(found, batch.nowMs) ? close(batch, found, "EXPIRED", { ...closing, actor: ownActor }) : found;
    },
  };
}

function nameRows(need: Parameters<Command<unknown>["keys"]>[0], { key: { tenant, id }, skus }: Closing): void {
  need.one(reservations, [tenant, id]);
  for (const sku of skus) {
    need.one(items, [tenant, sku]);
  }
}

/** Releases the units that have not left the warehouse, and sets the final state. */
function close(
  batch: Batch,
  reservation: ReservationValue,
  state: "RELEASED" | "EXPIRED",
  { skus, nowMs, actor }: Closing & { actor: string },
): ReservationValue | ItemsNeeded {
  const { tenant, id, lines } = reservation;
  if (lines.some(({ sku }) => !skus.includes(sku))) {
    return { itemsNeeded: lines.map(({ sku }) => sku) };
  }
  const moves = unitsLeft(lines).map(({ sku, quantity }) => ({ sku, onHandDelta: 0n, reservedDelta: -quantity }));
  const moved = moveInBatch(batch, tenant, moves, { type: "RELEASE", reservation: id, actor }, nowMs);
  if ("short" in moved) {
    throw new Error(`reservation ${id} holds more units than are reserved`);
  }
  const expiresAt = state === "EXPIRED" ? reservation.expiresAt : undefined;
  const closed = { ...reservation, state, expiresAt, updatedAt: nowMs };
  batch.update(reservations, closed);
  for (const item of moved.items) {
    batch.publish(stockChanged(item));
  }
  if (state === "EXPIRED") {
    batch.publish(reservationExpired(closed));
  }
  return closed;
}
