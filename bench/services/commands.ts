import {
  type AccountTables,
  accountMigrations,
  add,
  open,
  startCommands,
} from "../../services/runtime/commands/testing/accounts.ts";
import { type Database, openDatabase } from "../../services/runtime/db/connect.ts";
import { migrate } from "../../services/runtime/db/migrate.ts";
import { forUpdate } from "../../services/runtime/db/sql.ts";
import { createOutbox } from "../../services/runtime/outbox/outbox.ts";
import { systemClock } from "../../services/runtime/values/clock.ts";
import { createIds } from "../../services/runtime/values/ids.ts";
import { cpuMicros } from "../support/child.ts";
import { drive } from "../support/load.ts";
import {
  chosen,
  describeMachine,
  keepResult,
  option,
  percentile,
  printRatios,
  printRounds,
} from "../support/measure.ts";
import { createPlace, type Place, type Storage, storages } from "./docket.ts";

/**
 * Compares commands in batches with one transaction per command, on the same work: lock an account with its notes, add
 * to its balance, insert a receipt under an idempotency key, publish an event. Both insert the receipt without a
 * SELECT. Load generator and database client share the process, so its CPU time covers both. `--commands` per round,
 * `--rounds`; `--storages`, `--concurrency` select some only.
 */
const rounds = option("rounds", 5);
const commandsPerRound = option("commands", 1280);
const accounts = 200;
const concurrencies = chosen("concurrency", ["1", "16", "64"]).map(Number);

interface Target extends AsyncDisposable {
  readonly storage: Storage;
  readonly place: Place;
  readonly counted: { statements: number; commits: number };
  readonly ways: Readonly<Record<"batches" | "transactions", (nth: number) => Promise<unknown>>>;
}

async function openTarget(storage: Storage): Promise<Target> {
  const place = await createPlace(storage);
  const counted = { statements: 0, commits: 0 };
  const db = await openDatabase<AccountTables>({
    url: place.databaseUrl("commands"),
    onStatement({ sql }) {
      counted.statements += 1;
      counted.commits += sql === "commit" ? 1 : 0;
    },
  });
  await migrate(db, accountMigrations);
  const commands = startCommands(db);
  await Promise.all(Array.from({ length: accounts }, (_, n) => commands.execute(open(`a${n}`))));
  return {
    storage,
    place,
    counted,
    ways: {
      batches: (nth) => commands.execute(add(`a${nth % accounts}`, 1, { receipt: `b${nth}` })),
      transactions: (nth) => addInTransaction(db, `a${nth % accounts}`, `t${nth}`),
    },
    async [Symbol.asyncDispose]() {
      await commands[Symbol.asyncDispose]();
      await db[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
}

const outbox = createOutbox({ source: "docket/bench", ids: createIds(systemClock), clock: systemClock });

/** The work of `add`, as written in services without commands. */
function addInTransaction(db: Database<AccountTables>, id: string, receipt: string): Promise<number> {
  return db.transaction(async (trx) => {
    const query = trx.selectFrom("accounts").selectAll().where("tenant_id", "=", "t").where("id", "=", id);
    const account = await forUpdate(db.dialect, query).executeTakeFirstOrThrow();
    await trx
      .selectFrom("account_notes")
      .selectAll()
      .where("tenant_id", "=", "t")
      .where("account_id", "=", id)
      .execute();
    const balance = Number(account.balance) + 1;
    await trx
      .updateTable("accounts")
      .set({ balance, version: account.version + 1 })
      .where("tenant_id", "=", "t")
      .where("id", "=", id)
      .where("version", "=", account.version)
      .execute();
    await trx.insertInto("receipts").values({ tenant_id: "t", id: receipt, balance }).execute();
    const data = Buffer.from(String(balance));
    await outbox.publish(trx, [{ tenant: "t", aggregate: `accounts/${id}`, type: "docket.test.v1.Changed", data }]);
    return balance;
  });
}

const machine = await describeMachine(["kysely", "mysql2"]);
const targets = await Promise.all(chosen("storages", storages).map(openTarget));
const cases = targets.flatMap((target) =>
  concurrencies.flatMap((concurrency) =>
    (["batches", "transactions"] as const).map((way) => ({
      name: `${target.storage} ${way} ${concurrency}`,
      ...{ target, concurrency, way },
    })),
  ),
);
const empty = (): Record<string, number[]> => Object.fromEntries(cases.map(({ name }) => [name, []]));
const measured = {
  commandsPerSecond: empty(),
  p50Ms: empty(),
  p99Ms: empty(),
  cpuMicrosPerCommand: empty(),
  databaseCpuMicrosPerCommand: empty(),
  statementsPerCommand: empty(),
  commitsPerCommand: empty(),
};
let nth = 0;
for (let round = -1; round < rounds; round++) {
  for (const { name, target, concurrency, way } of cases) {
    const { counted, place, ways } = target;
    // A concurrency of one is slow; fewer calls are equally significant.
    const count = concurrency === 1 ? commandsPerRound / 8 : commandsPerRound;
    const before = { ...counted, cpu: cpuMicros(), databaseCpu: await place.databaseCpuMicros() };
    const { seconds, latenciesMs } = await drive({ concurrency, count, seconds: 2 }, () => ways[way](nth++));
    const cpu = cpuMicros() - before.cpu;
    const databaseCpu = (await place.databaseCpuMicros()) - before.databaseCpu;
    // The first round is warm-up.
    if (round >= 0) {
      const done = latenciesMs.length;
      measured.commandsPerSecond[name]?.push(done / seconds);
      measured.p50Ms[name]?.push(percentile(latenciesMs, 50));
      measured.p99Ms[name]?.push(percentile(latenciesMs, 99));
      measured.cpuMicrosPerCommand[name]?.push(cpu / done);
      measured.databaseCpuMicrosPerCommand[name]?.push(databaseCpu / done);
      measured.statementsPerCommand[name]?.push((counted.statements - before.statements) / done);
      measured.commitsPerCommand[name]?.push((counted.commits - before.commits) / done);
    }
  }
}
console.log(`${commandsPerRound} commands (an eighth of it one at a time) or 2 s a round, ${accounts} accounts`);
for (const { storage, place } of targets) {
  console.log(`${storage}: ${place.database}`);
}
printRounds(measured.commandsPerSecond, "commands/s");
printRounds(measured.p50Ms, "ms p50");
printRounds(measured.p99Ms, "ms p99");
printRounds(measured.cpuMicrosPerCommand, "µs of CPU per command");
printRounds(measured.databaseCpuMicrosPerCommand, "µs of the database's CPU per command");
printRounds(measured.statementsPerCommand, "statements per command");
printRounds(measured.commitsPerCommand, "commits per command");
const pairs = targets.flatMap(({ storage }) =>
  concurrencies.map((it) => [`${storage} batches ${it}`, `${storage} transactions ${it}`] as const),
);
console.log("commands/s:");
printRatios(measured.commandsPerSecond, pairs);
console.log("CPU per command:");
printRatios(measured.cpuMicrosPerCommand, pairs);
const databases = Object.fromEntries(targets.map(({ storage, place }) => [storage, place.database]));
await keepResult("commands", { machine, databases, commands: commandsPerRound, accounts, ...measured });
for (const target of targets) {
  await target[Symbol.asyncDispose]();
}
