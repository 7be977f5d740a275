import { create, toBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import type { Transaction } from "kysely";
import type { BusEvent } from "../bus/event-bus.ts";
import { busEvent } from "../bus/event-bus-suite.ts";
import { createInProcessBus } from "../bus/in-process.ts";
import { int, notNull, text } from "../db/columns.ts";
import type { Database } from "../db/connect.ts";
import { CommitUnknownError } from "../db/errors.ts";
import { type Migration, migrate } from "../db/migrate.ts";
import { createLogger } from "../telemetry/log.ts";
import { describeEachDatabase } from "../testing/databases.ts";
import { randomNumbers, testSeed } from "../testing/random.ts";
import { until } from "../testing/until.ts";
import { systemClock } from "../values/clock.ts";
import { createIds } from "../values/ids.ts";
import { createConsumer } from "./consumer.ts";
import { createDeadLetters } from "./dead-letters.ts";
import { on } from "./handlers.ts";
import { inboxMigrations } from "./migrations.ts";
import type { InboxTables } from "./tables.ts";

interface Tables extends InboxTables {
  effects: { id: string; aggregate: string; sequence: number };
}

const effects: Migration = {
  async up({ schema }) {
    await schema
      .createTable("effects")
      .ifNotExists()
      .addColumn("id", text(26), (column) => column.primaryKey())
      .addColumn("aggregate", text(64), notNull)
      .addColumn("sequence", int, notNull)
      .execute();
  },
};

const log = createLogger({ level: "silent", name: "test" });
const ids = createIds(systemClock);
const data = toBinary(StringValueSchema, create(StringValueSchema, { value: "x" }));

const aggregates = ["a", "b", "c", "d", "e", "f"].map((name) => `things/${name}`);
const EVENTS = 30;
const STEPS = 60;
const MAX_ATTEMPTS = 4;

/** A database whose transactions now and then are lost: before their COMMIT, or its response. */
function unreliable<DB>(db: Database<DB>, random: (below: number) => number): Database<DB> {
  return {
    ...db,
    async transaction(fn, options) {
      const fate = random(20);
      if (fate === 0) {
        const gone = new Error("gone");
        await db
          .transaction(async (trx) => {
            await fn(trx);
            throw gone;
          }, options)
          .catch((error: unknown) => {
            throw error === gone ? Object.assign(new Error("connection lost"), { code: "ECONNRESET" }) : error;
          });
      }
      const result = await db.transaction(fn, options);
      if (fate === 1) {
        throw new CommitUnknownError(new Error("connection lost"));
      }
      return result;
    },
  };
}

describeEachDatabase("a model of a consumer", (open) => {
  test.each([testSeed, testSeed + 1, testSeed + 2])(
    "with failures, outages, restarts and repetitions, each event has its effect once and in order (seed %d)",
    async (seed) => {
      const random = randomNumbers(seed);
      const chance = (percent: number) => random(100) < percent;
      await using db = await open<Tables>();
      await migrate(db, { ...inboxMigrations, effects });

      const poison = new Set<string>();
      const broken = new Set<string>();
      const failures = new Map<string, number>();
      let isHealed = false;
      const handler = on(StringValueSchema, async (trx: Transaction<Tables>, _, { id, aggregate, sequence }) => {
        await trx.insertInto("effects").values({ id: ids.next(), aggregate, sequence }).execute();
        if (poison.has(id) || (!isHealed && (broken.has(aggregate) || chance(5)))) {
          failures.set(id, (failures.get(id) ?? 0) + 1);
          throw new Error("broken");
        }
      });
      const start = () => {
        const bus = createInProcessBus({ log, redelivery: { initialMs: 1, maxMs: 2 } });
        const consumer = createConsumer<Tables>({
          ...{ db: unreliable(db, (below) => (isHealed ? below - 1 : random(below))), bus, log, ids },
          ...{ consumer: "test.model", handlers: [handler], maxAttempts: MAX_ATTEMPTS, pollMs: 20 },
          retry: { initialMs: 1, maxMs: 30 },
        });
        consumer.start();
        return { bus, consumer };
      };
      const processes = [start(), start()];

      const lines = aggregates.map((aggregate) =>
        Array.from({ length: EVENTS }, (_, at) =>
          busEvent({ aggregate, sequence: at + 1, type: StringValueSchema.typeName, data }),
        ),
      );
      for (const event of lines.flat()) {
        if (chance(4)) {
          poison.add(event.id);
        }
      }
      /** What was delivered of each aggregate. */
      const delivered = lines.map(() => 0);
      const nextBatch = (advance: number) => {
        const runs = lines.map((line, nth) => {
          const from = Math.max(0, (delivered[nth] ?? 0) - (chance(30) ? random(4) : 0));
          const to = Math.min(EVENTS, (delivered[nth] ?? 0) + random(advance));
          delivered[nth] = Math.max(to, delivered[nth] ?? 0);
          return line.slice(from, to);
        });
        // Interleaves the aggregates, each in its order.
        const batch: BusEvent[] = [];
        while (runs.some((run) => run.length > 0)) {
          const event = runs[random(runs.length)]?.shift();
          if (event !== undefined) {
            batch.push(event);
          }
        }
        return batch;
      };

      for (let step = 0; step < STEPS; step++) {
        const nth = random(2);
        if (chance(10)) {
          await processes[nth]?.consumer[Symbol.asyncDispose]();
          processes[nth] = start();
        }
        if (chance(30)) {
          const aggregate = aggregates[random(aggregates.length)] ?? "";
          broken.has(aggregate) ? broken.delete(aggregate) : broken.add(aggregate);
        }
        const batch = nextBatch(step === STEPS - 1 ? EVENTS : 3);
        await processes[nth]?.bus.publish(batch);
        if (chance(20)) {
          await Promise.all(processes.map(({ bus }) => bus.publish(batch)));
        }
      }
      await processes[0]?.bus.publish(lines.flatMap((line, nth) => line.slice(delivered[nth])));
      isHealed = true;
      const parked = db.kysely.selectFrom("inbox_parked").selectAll();
      await until(async () => (await parked.execute()).length === 0);
      expect(await db.kysely.selectFrom("inbox_parked_events").selectAll().execute()).toEqual([]);

      const letters = await db.kysely.selectFrom("dead_letters").selectAll().execute();
      const dead = new Set(letters.map((letter) => `${letter.aggregate} ${letter.sequence}`));
      for (const { attempts, message_id } of letters) {
        expect(attempts).toBe(MAX_ATTEMPTS);
        expect(failures.get(message_id)).toBeGreaterThanOrEqual(MAX_ATTEMPTS);
      }
      const effectsOf = async (aggregate: string) => {
        const rows = db.kysely.selectFrom("effects").select("sequence").where("aggregate", "=", aggregate);
        return (await rows.orderBy("id").execute()).map(({ sequence }) => sequence);
      };
      const all = Array.from({ length: EVENTS }, (_, at) => at + 1);
      for (const aggregate of aggregates) {
        const isAlive = (sequence: number) => !dead.has(`${aggregate} ${sequence}`);
        expect((await effectsOf(aggregate)).filter(isAlive)).toEqual(all.filter(isAlive));
      }
      expect(lines.flat().filter(({ id }) => poison.has(id) && !letters.some((it) => it.message_id === id))).toEqual(
        [],
      );

      poison.clear();
      const replays = createDeadLetters(
        db,
        processes.map(({ consumer }) => consumer),
      );
      for (const { id } of letters) {
        expect(await replays.replay(id)).toBe(true);
      }
      for (const aggregate of aggregates) {
        expect((await effectsOf(aggregate)).sort((a, b) => a - b)).toEqual(all);
      }
      for (const { consumer } of processes) {
        await consumer[Symbol.asyncDispose]();
      }
    },
    60_000,
  );
});
