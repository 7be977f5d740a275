import { sql } from "kysely";
import type { Database } from "../../runtime/db/connect.ts";
import { nowMs } from "../../runtime/db/sql.ts";
import { type Claimed, claimDue, releaseClaims } from "../../runtime/jobs/claim-due.ts";
import type { LogisticsDatabase } from "../db/schema.ts";

type Db = Database<LogisticsDatabase>;
/** Claims shipments with a due carrier call; see `claimDue`. */
export function claimShipments(db: Db, options: { limit: number; leaseMs: number }): Promise<readonly Claimed[]> {
  return claimDue(db as unknown as Parameters<typeof claimDue<"shipments">>[0], "shipments", options);
}

/** Claims one shipment if it has a due carrier call and is not claimed by another process. */
export function claimShipment(db: Db, id: string, leaseMs: number): Promise<Claimed | undefined> {
  const now = nowMs(db.dialect);
  return db.transaction(async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable("shipments")
      .set({ due_at: sql<number>`${now} + ${leaseMs}`, attempt: sql<number>`attempt + 1` })
      .where("id", "=", id)
      .where("due_at", "<=", now)
      .executeTakeFirst();
    if (numUpdatedRows !== 1n) {
      return undefined;
    }
    return trx.selectFrom("shipments").select(["id", "attempt"]).where("id", "=", id).executeTakeFirst();
  });
}

/**
 * Extends a claim whose lease has not expired. No effect if the shipment was claimed again or its next call was
 * rescheduled meanwhile.
 */
export async function renewClaim(db: Db, { id, attempt }: Claimed, leaseMs: number): Promise<void> {
  const now = nowMs(db.dialect);
  await db.kysely
    .updateTable("shipments")
    .set({ due_at: sql<number>`${now} + ${leaseMs}` })
    .where("id", "=", id)
    .where("attempt", "=", attempt)
    .where("due_at", ">", now)
    .execute();
}

/** Hands claims back, so that they are due at once. */
export function releaseShipments(db: Db, claims: readonly Claimed[]): Promise<void> {
  return releaseClaims(db as unknown as Parameters<typeof releaseClaims<"shipments">>[0], "shipments", claims);
}
