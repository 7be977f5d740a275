import { join } from "node:path";
import { databaseUrlOf } from "../../../host/database-urls.ts";
import { openDatabase } from "../../../runtime/db/connect.ts";
import type { InboxTables } from "../../../runtime/inbox/tables.ts";
import type { OutboxTables } from "../../../runtime/outbox/tables.ts";
import type { Storage } from "../start-docket.ts";

const publishers = ["order", "payment", "logistics", "inventory"];
const consumers = ["order", "inventory"];

/** Unsent events, parked aggregates and dead letters, one line each, read from the databases. */
export async function looseEnds({ environment }: Storage): Promise<string[]> {
  const folder = environment["DOCKET_DATA_DIR"] ?? "";
  const urlOf = (service: string) =>
    databaseUrlOf(service, { file: (name) => join(folder, name) }, environment["DOCKET_DATABASE_URL"]);
  const found = publishers.map(async (service) => {
    await using db = await openDatabase<InboxTables & OutboxTables>({ url: urlOf(service), maxConnections: 1 });
    const unsent = await db.kysely
      .selectFrom("outbox_messages")
      .select(["type", "aggregate"])
      .where("sent_at", "is", null)
      .execute();
    const dead = consumers.includes(service)
      ? await db.kysely.selectFrom("dead_letters").select(["consumer", "event_type", "aggregate", "error"]).execute()
      : [];
    const parked = consumers.includes(service)
      ? await db.kysely.selectFrom("inbox_parked").select(["consumer", "aggregate", "error"]).execute()
      : [];
    return [
      ...unsent.map(({ type, aggregate }) => `${service} has not sent ${type} of ${aggregate}`),
      ...dead.map((it) => `${it.consumer} gave ${it.event_type} of ${it.aggregate} up: ${it.error}`),
      ...parked.map((it) => `${it.consumer} has parked ${it.aggregate}: ${it.error}`),
    ];
  });
  return (await Promise.all(found)).flat();
}
