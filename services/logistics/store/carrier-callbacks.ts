import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import type { Claimed } from "../../runtime/db/claim-due.ts";
import type { Database } from "../../runtime/db/connect.ts";
import { isUniqueViolation, nowMs } from "../../runtime/db/sql.ts";
import type { CallbackState, CarrierCallbacksTable, LogisticsDatabase } from "../db/schema.ts";

type Db = Database<LogisticsDatabase>;
type Trx = Transaction<LogisticsDatabase>;

/** A callback as it came. */
export interface NewCallback {
  readonly id: string;
  readonly carrier: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly receivedAt: number;
}

/** Stores a callback before anything else is done with it. */
export async function insertCallback({ kysely }: Db, callback: NewCallback): Promise<void> {
  await kysely
    .insertInto("carrier_callbacks")
    .values({
      id: callback.id,
      carrier: callback.carrier,
      event_id: null,
      tenant_id: null,
      tracking_number: null,
      state: "RECEIVED",
      headers: JSON.stringify(callback.headers),
      body: callback.body,
      error: null,
      due_at: null,
      attempt: 0,
      received_at: callback.receivedAt,
      processed_at: null,
    })
    .execute();
}

/**
 * Marks a callback as the carrier's, to be processed, and claims it; `duplicate` where its event id came before, and the
 * first one of it is or will be processed.
 */
export async function markVerified(
  db: Db,
  id: string,
  eventId: string,
  leaseMs: number,
): Promise<Claimed | "duplicate"> {
  try {
    await db.kysely
      .updateTable("carrier_callbacks")
      .set({
        event_id: eventId,
        state: "VERIFIED",
        due_at: sql<number>`${nowMs(db.dialect)} + ${leaseMs}`,
        attempt: 1,
      })
      .where("id", "=", id)
      .execute();
    return { id, attempt: 1 };
  } catch (error) {
    if (!isUniqueViolation(error)) {
      throw error;
    }
    await settleCallback(db.kysely, id, { state: "DUPLICATE", error: `of ${eventId}` });
    return "duplicate";
  }
}

/** What is known of a callback when nothing more is to be done with it. */
export interface Settled {
  readonly state: Exclude<CallbackState, "RECEIVED" | "VERIFIED">;
  readonly tenant?: string;
  readonly trackingNumber?: string;
  readonly error?: string;
  readonly processedAt?: number;
}

export async function settleCallback(db: Kysely<LogisticsDatabase>, id: string, settled: Settled): Promise<void> {
  await db
    .updateTable("carrier_callbacks")
    .set({
      state: settled.state,
      error: settled.error ?? null,
      due_at: null,
      ...(settled.tenant !== undefined && { tenant_id: settled.tenant }),
      ...(settled.trackingNumber !== undefined && { tracking_number: settled.trackingNumber }),
      ...(settled.processedAt !== undefined && { processed_at: settled.processedAt }),
    })
    .where("id", "=", id)
    .execute();
}

/** The callback, if the claim is still the last one; locked until the transaction ends by being written to later. */
export function findClaimedCallback(
  { kysely }: Pick<Db, "kysely">,
  { id, attempt }: Claimed,
): Promise<Selectable<CarrierCallbacksTable> | undefined> {
  return kysely
    .selectFrom("carrier_callbacks")
    .selectAll()
    .where("id", "=", id)
    .where("attempt", "=", attempt)
    .where("state", "=", "VERIFIED")
    .executeTakeFirst();
}

/** Leaves a claimed callback for later. */
export async function postponeCallback(
  db: Db,
  { id, attempt }: Claimed,
  { error, dueInMs, trackingNumber }: { error: string; dueInMs: number; trackingNumber?: string },
): Promise<void> {
  await db.kysely
    .updateTable("carrier_callbacks")
    .set({
      error,
      due_at: sql<number>`${nowMs(db.dialect)} + ${Math.round(dueInMs)}`,
      ...(trackingNumber !== undefined && { tracking_number: trackingNumber }),
    })
    .where("id", "=", id)
    .where("attempt", "=", attempt)
    .where("state", "=", "VERIFIED")
    .execute();
}

/** Makes due what came before its shipment was known under this number. */
export async function wakeCallbacks(
  trx: Trx,
  { dialect }: Pick<Db, "dialect">,
  carrier: string,
  trackingNumber: string,
): Promise<void> {
  await trx
    .updateTable("carrier_callbacks")
    .set({ due_at: nowMs(dialect), state: "VERIFIED" })
    .where("carrier", "=", carrier)
    .where("tracking_number", "=", trackingNumber)
    .where("state", "in", ["VERIFIED", "UNMATCHED"])
    .execute();
}

/**
 * Deletes the oldest of what was received before this time and is done with, and returns how many. What was never matched
 * or could not be read stays for a person.
 */
export async function pruneCallbacks(
  { kysely }: Db,
  { receivedBefore, limit }: { receivedBefore: number; limit: number },
): Promise<number> {
  const old = await kysely
    .selectFrom("carrier_callbacks")
    .select("id")
    .where("received_at", "<", receivedBefore)
    .where("state", "in", ["RECEIVED", "REJECTED", "DUPLICATE", "PROCESSED"])
    .orderBy("received_at")
    .limit(limit)
    .execute();
  if (old.length > 0) {
    const ids = old.map(({ id }) => id);
    await kysely.deleteFrom("carrier_callbacks").where("id", "in", ids).execute();
  }
  return old.length;
}
