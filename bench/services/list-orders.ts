import { sql } from "kysely";
import { openDatabase } from "../../services/runtime/db/connect.ts";
import { createHttpClient, type HttpCall } from "../support/http-client.ts";
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
import { type BenchDocket, type Storage, startDocket, storages } from "./docket.ts";
import { anOrder, openShop } from "./shop.ts";

/**
 * Pages of 50 orders per second over REST, 16 at a time, with their lines: the newest orders, and those of one customer
 * of a hundred. `--rows` how many orders there are; `--large 1000000` compares with a second Docket of that many, filled
 * by the database itself. `--rounds`, `--requests`, `--storages`.
 */
const rounds = option("rounds", 5);
const requests = option("requests", 400);
const concurrency = option("concurrency", 16);
const large = option("large", 0);
const sizes = [option("rows", 10_000), ...(large > 0 ? [large] : [])];

const queries = {
  newest: "/v1/orders?pageSize=50",
  "one customer's": `/v1/orders?pageSize=50&filter=${encodeURIComponent('customer.id = "c7"')}`,
};

interface Target extends AsyncDisposable {
  readonly name: string;
  readonly docket: BenchDocket;
  readonly http: HttpCall;
}

async function open(storage: Storage, size: number): Promise<Target> {
  const docket = await startDocket(storage);
  const http = createHttpClient(docket.httpUrl, docket.adminKey);
  await openShop(http);
  await http("POST", "/v1/orders", JSON.stringify(anOrder(0)));
  await docket.untilQuiet();
  await fill(docket, size - 1);
  const [query] = Object.values(queries);
  const page = JSON.parse((await http("GET", query ?? "")).toString()) as { orders: { lineItems: unknown[] }[] };
  if (page.orders.length !== 50 || page.orders.some((order) => order.lineItems.length !== 2)) {
    throw new Error("a page is not 50 orders of two lines");
  }
  return {
    name: `${storage} ${size}`,
    docket,
    http,
    async [Symbol.asyncDispose]() {
      http[Symbol.dispose]();
      await docket[Symbol.asyncDispose]();
    },
  };
}

/** Copies the one order that there is, with its lines; the copies are older, a second from one to the next. */
async function fill(docket: BenchDocket, copies: number): Promise<void> {
  await using db = await openDatabase<unknown>({ url: docket.databaseUrl("order") });
  const differs: Record<string, string> = {
    id: "'01bench' || (1000000000000000000 - n.i)",
    order_id: "'01bench' || (1000000000000000000 - n.i)",
    created_at: "created_at - 1000 * n.i",
    customer_id: "'c' || (n.i % 100)",
  };
  for (const table of ["orders", "order_lines"]) {
    const { rows } = await sql<Record<string, unknown>>`select * from ${sql.table(table)} limit 1`.execute(db.kysely);
    const columns = Object.keys(rows[0] ?? {}).filter((column) => !(table === "orders" && column === "order_id"));
    const list = sql.join(columns.map((column) => sql.ref(column)));
    const values = sql.join(
      columns.map((column) => (differs[column] === undefined ? sql.ref(`o.${column}`) : sql.raw(differs[column]))),
    );
    await db.transaction(async (trx) => {
      if (db.dialect === "mysql") {
        await sql`set session max_recursive_iterations = ${sql.lit(copies + 1)}`.execute(trx);
      }
      await sql`insert into ${sql.table(table)} (${list})
        with recursive n(i) as (select 1 union all select i + 1 from n where i < ${sql.lit(copies)})
        select ${values} from n cross join ${sql.table(table)} as o`.execute(trx);
    });
  }
  await sql`analyze ${sql.raw(db.dialect === "mysql" ? "table orders, order_lines" : "")}`.execute(db.kysely);
}

const machine = await describeMachine(["kysely", "mysql2"]);
const targets: Target[] = [];
for (const storage of chosen("storages", storages)) {
  for (const size of sizes) {
    targets.push(await open(storage, size));
  }
}
const cases = targets.flatMap((target) =>
  Object.entries(queries).map(([query, path]) => ({ name: `${target.name} ${query}`, target, path })),
);
const empty = (): Record<string, number[]> => Object.fromEntries(cases.map(({ name }) => [name, []]));
const measured = { requestsPerSecond: empty(), p50Ms: empty(), p99Ms: empty(), cpuMsPerRequest: empty() };
for (let round = -1; round < rounds; round++) {
  for (const { name, target, path } of cases) {
    const before = await target.docket.usage();
    const work = { concurrency, count: requests, seconds: 3 };
    const { seconds, latenciesMs } = await drive(work, () => target.http("GET", path));
    const after = await target.docket.usage();
    if (round >= 0) {
      measured.requestsPerSecond[name]?.push(latenciesMs.length / seconds);
      measured.p50Ms[name]?.push(percentile(latenciesMs, 50));
      measured.p99Ms[name]?.push(percentile(latenciesMs, 99));
      measured.cpuMsPerRequest[name]?.push((after.cpuMicros - before.cpuMicros) / 1000 / latenciesMs.length);
    }
  }
}
console.log(`${requests} requests or 3 s a round, ${concurrency} at a time`);
printRounds(measured.requestsPerSecond, "pages/s");
printRounds(measured.p50Ms, "ms p50");
printRounds(measured.p99Ms, "ms p99");
printRounds(measured.cpuMsPerRequest, "ms of the server's CPU per page");
const grown = targets
  .filter(({ name }) => large > 0 && name.endsWith(` ${large}`))
  .flatMap(({ name }) =>
    Object.keys(queries).map(
      (query) => [`${name} ${query}`, `${name.replace(/\d+$/, `${sizes[0]}`)} ${query}`] as const,
    ),
  );
printRatios(measured.p99Ms, grown);
const databases = Object.fromEntries(targets.map(({ name, docket }) => [name, docket.database]));
await keepResult(large > 0 ? `list-orders-${large}` : "list-orders", {
  machine,
  databases,
  requests,
  concurrency,
  ...measured,
});
for (const target of targets) {
  await target[Symbol.asyncDispose]();
}
