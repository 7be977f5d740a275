import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import type { Transaction } from "kysely";
import { notNull, text } from "../../../db/columns.ts";
import { type Database, openDatabase } from "../../../db/connect.ts";
import { type Migration, migrate } from "../../../db/migrate.ts";
import { type Consumer, createConsumer } from "../../../inbox/consumer.ts";
import { on } from "../../../inbox/handlers.ts";
import { inboxMigrations } from "../../../inbox/migrations.ts";
import type { InboxTables } from "../../../inbox/tables.ts";
import type { Logger } from "../../../telemetry/log.ts";
import { systemClock } from "../../../values/clock.ts";
import { createIds } from "../../../values/ids.ts";
import type { EventBus } from "../../event-bus.ts";

interface Tables extends InboxTables {
  effects: { name: string };
}

const effects: Migration = {
  up: async ({ schema }) =>
    void (await schema.createTable("effects").ifNotExists().addColumn("name", text(64), notNull).execute()),
};

/** A consumer that writes a row for each message, with an inbox. */
export interface Effects extends AsyncDisposable {
  /** The rows, in the order in which they were written. */
  names(): Promise<readonly string[]>;
  readonly db: Database<Tables>;
}

/** Opens the database and subscribes the consumer. Messages that contain "poison" always fail. */
export async function openEffects(url: string, bus: EventBus, log: Logger): Promise<Effects> {
  await using opening = new AsyncDisposableStack();
  const db = opening.use(await openDatabase<Tables>({ url }));
  await migrate(db, { ...inboxMigrations, effects });
  const record = on(StringValueSchema, async (trx: Transaction<Tables>, { value }) => {
    await trx.insertInto("effects").values({ name: value }).execute();
    if (value.includes("poison")) {
      throw new Error(`${value} fails`);
    }
  });
  const ids = createIds(systemClock);
  const consumer: Consumer = createConsumer({ db, bus, log, ids, consumer: "test.effects", handlers: [record] });
  opening.use(consumer);
  consumer.start();
  const stack = opening.move();
  return {
    db,
    names: async () => (await db.kysely.selectFrom("effects").select("name").execute()).map(({ name }) => name),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
