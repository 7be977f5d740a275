import type { Registry } from "@bufbuild/protobuf";
import { ERASED } from "../api/personal-fields.ts";
import { type AnyTransaction, withTables } from "../db/any-transaction.ts";
import type { InboxTables } from "../inbox/tables.ts";
import type { OutboxTables } from "../outbox/tables.ts";
import { eraseEncoded } from "./erase-encoded.ts";

/** The aggregate whose messages to erase. */
export interface ErasedAggregate {
  readonly tenant: string;
  /** As in events, for example `trips/01h…`. */
  readonly aggregate: string;
  /** Types of the messages. Messages of other types are emptied. */
  readonly registry: Registry;
}

/**
 * Erases customer data from the aggregate's outbox rows, sent or not; identities and sequences are kept. Idempotent.
 */
export async function eraseOutbox(
  anyTrx: AnyTransaction,
  { tenant, aggregate, registry }: ErasedAggregate,
): Promise<void> {
  const trx = withTables<OutboxTables>(anyTrx);
  const rows = await trx
    .selectFrom("outbox_messages")
    .select(["sequence", "type", "data"])
    .where("tenant_id", "=", tenant)
    .where("aggregate", "=", aggregate)
    .execute();
  for (const { sequence, type, data } of rows) {
    const erased = eraseEncoded(registry, type, data);
    if (!Buffer.from(erased).equals(data)) {
      await trx
        .updateTable("outbox_messages")
        .set({ data: erased })
        .where("tenant_id", "=", tenant)
        .where("aggregate", "=", aggregate)
        .where("sequence", "=", sequence)
        .execute();
    }
  }
}

/**
 * Erases customer data from the aggregate's dead letters and parked events, including their error texts. They can still
 * be replayed and retried. Idempotent.
 */
export async function eraseInbox(
  anyTrx: AnyTransaction,
  { tenant, aggregate, registry }: ErasedAggregate,
): Promise<void> {
  const trx = withTables<InboxTables>(anyTrx);
  const letters = await trx
    .selectFrom("dead_letters")
    .select(["id", "event_type", "data"])
    .where("tenant_id", "=", tenant)
    .where("aggregate", "=", aggregate)
    .execute();
  for (const { id, event_type, data } of letters) {
    await trx
      .updateTable("dead_letters")
      .set({ data: eraseEncoded(registry, event_type, data), error: ERASED })
      .where("id", "=", id)
      .execute();
  }
  const parked = await trx
    .selectFrom("inbox_parked_events")
    .select(["consumer", "sequence", "source", "event_type", "data"])
    .where("tenant_id", "=", tenant)
    .where("aggregate", "=", aggregate)
    .execute();
  if (parked.length === 0) {
    return;
  }
  await trx
    .updateTable("inbox_parked")
    .set({ error: ERASED })
    .where("tenant_id", "=", tenant)
    .where("aggregate", "=", aggregate)
    .execute();
  for (const { consumer, sequence, source, event_type, data } of parked) {
    await trx
      .updateTable("inbox_parked_events")
      .set({ data: eraseEncoded(registry, event_type, data) })
      .where("tenant_id", "=", tenant)
      .where("aggregate", "=", aggregate)
      .where("consumer", "=", consumer)
      .where("sequence", "=", sequence)
      .where("source", "=", source)
      .execute();
  }
}
