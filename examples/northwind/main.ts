/**
 * Brings a trading company's two years of orders into Docket and to their end: items, 830 orders with their prices and
 * discounts, payment, shipment and delivery; then adds up the books. Run twice, it changes nothing.
 *
 *     make northwind DATA=path/to/northwind
 */
import { setTimeout as sleep } from "node:timers/promises";
import { SingleBar } from "cli-progress";
import { createDocket, type Docket } from "../../web-client/sdk/docket.ts";
import { inParallel } from "../in-parallel.ts";
import { useDocket } from "../local-docket.ts";
import { readBooks, same, type Totals } from "./books.ts";
import { expectedTotals } from "./expected.ts";
import { northwindOrders, skuOf, toItem, toOrder } from "./messages.ts";
import { type OrderRecord, type Records, readRecords } from "./records.ts";

const atOnce = 16;
const settleMs = 120_000;

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error("Say where Northwind's CSV files are: make northwind DATA=path/to/northwind");
  process.exit(2);
}
const records = await readRecords(folder);
const expected = expectedTotals(records);
await using running = await useDocket();
const docket = createDocket({ baseUrl: running.url, apiKey: running.adminKey, timeoutMs: 60_000 });
console.log(`Docket at ${running.url}`);

const items = await createItems(docket, records);
const orders = await createOrders(docket, records);
await settle("paid", () => countOrders(docket, "(state = PLACING OR state = AWAITING_PAYMENT)"));
const shipments = await shipOrders(docket, records, orders);
await settle("delivered", async () =>
  Math.max(0, expected.completed - (await countOrders(docket, "state = COMPLETED"))),
);
console.log(`new: ${items} items, ${orders.created} orders, ${shipments} shipments`);

const { totals, disagreements } = await readBooks(
  docket,
  new Set(records.products.map(({ ProductID }) => skuOf(ProductID))),
);
for (const line of disagreements) {
  console.error(`  ${line}`);
}
console.log(compare(totals));
console.log(disagreements.length === 0 ? "stock and money ledgers balance" : "the ledgers do NOT balance");
process.exitCode = disagreements.length === 0 && same(totals, expected) ? 0 : 1;

/** Creates missing items, with as much stock as all orders need. */
async function createItems(docket: Docket, { products, lines }: Records): Promise<number> {
  const needed = new Map<string, bigint>();
  for (const line of [...lines.values()].flat()) {
    needed.set(line.ProductID, (needed.get(line.ProductID) ?? 0n) + BigInt(line.Quantity));
  }
  const all = products.map((product) => toItem(product, needed.get(product.ProductID) ?? 0n));
  const { items: existing } = await docket.items.batchGetItems({ skus: all.map((item) => item.sku ?? "") });
  const known = new Set(existing.map((item) => item.sku));
  const missing = all.filter((item) => !known.has(item.sku ?? ""));
  if (missing.length > 0) {
    await docket.items.batchUpsertItems({ items: missing, requestId: `northwind-items-${missing.length}` });
  }
  return missing.length;
}

/** Creates missing orders; returns the resource names by order number. */
async function createOrders(docket: Docket, { orders, customers, lines }: Records) {
  const names = new Map<string, string>();
  for await (const order of docket.listOrders({ filter: northwindOrders, pageSize: 500 })) {
    names.set(order.externalId, order.name);
  }
  const missing = orders.filter((record) => !names.has(record.OrderID));
  await withBar("orders", missing.length, (progress) =>
    inParallel(
      missing,
      atOnce,
      async (record) => {
        const order = toOrder(record, customers.get(record.CustomerID), lines.get(record.OrderID) ?? []);
        const { name } = await docket.orders.createOrder({ order, requestId: `northwind-${record.OrderID}` });
        names.set(record.OrderID, name);
      },
      progress,
    ),
  );
  return { names, created: missing.length };
}

/** Ships what Northwind shipped; returns the number of new shipments. */
async function shipOrders(docket: Docket, { orders }: Records, { names }: { names: ReadonlyMap<string, string> }) {
  const resting = new Set<string>();
  for await (const order of docket.listOrders({ filter: `${northwindOrders} AND state = CONFIRMED`, pageSize: 500 })) {
    resting.add(order.name);
  }
  const shipped = orders.filter((record) => record.ShippedDate !== "" && resting.has(names.get(record.OrderID) ?? ""));
  const ship = async (record: OrderRecord) => {
    await docket.shipments.createShipment({
      parent: names.get(record.OrderID) ?? "",
      shipment: {
        carrier: "sandbox",
        carrierService: "deliver_now",
        labels: { shipped_date: record.ShippedDate.slice(0, 10) },
      },
      shipmentId: "1",
      requestId: `northwind-${record.OrderID}`,
    });
  };
  await withBar("shipments", shipped.length, (progress) => inParallel(shipped, atOnce, ship, progress));
  return shipped.length;
}

async function countOrders(docket: Docket, filter: string): Promise<number> {
  const orders = docket.listOrders({ filter: `${northwindOrders} AND ${filter}`, pageSize: 500 });
  return (await Array.fromAsync(orders)).length;
}

/** Waits until the count is zero. */
async function settle(what: string, countLeft: () => Promise<number>): Promise<void> {
  const deadline = Date.now() + settleMs;
  const first = await countLeft();
  await withBar(what, first, async (progress) => {
    for (let left = first; left > 0; left = await countLeft()) {
      if (Date.now() > deadline) {
        throw new Error(`after ${settleMs / 1000} s there are still ${left} orders that are not ${what}`);
      }
      progress(first - left);
      await sleep(200);
    }
  });
}

async function withBar(what: string, total: number, work: (progress: (done: number) => void) => Promise<void>) {
  if (total === 0) {
    return;
  }
  if (!process.stderr.isTTY) {
    await work(() => {});
    return;
  }
  const bar = new SingleBar({
    format: `${what.padEnd(10)} {bar} {value}/{total} · {duration_formatted}`,
    hideCursor: true,
  });
  bar.start(total, 0);
  await work((done) => bar.update(done)).finally(() => bar.stop());
}

function compare(totals: Totals): string {
  const rows: [string, string, string][] = [
    ["", "expected", "Docket"],
    ...(Object.keys(expected) as (keyof Totals)[]).map((key): [string, string, string] => [
      { afterDiscount: "after discount", completed: "COMPLETED", confirmed: "CONFIRMED" }[key as string] ?? key,
      text(expected[key]),
      text(totals[key]) + (totals[key] === expected[key] ? "" : "  DIFFERS"),
    ]),
  ];
  return rows.map(([name, left, right]) => `${name.padEnd(15)} ${left.padStart(14)} ${right.padStart(14)}`).join("\n");
}

/** Formats counts with separators and amounts (cents) as dollars. */
function text(value: number | bigint): string {
  return typeof value === "bigint"
    ? (Number(value) / 100).toLocaleString("en-US", { minimumFractionDigits: 2 })
    : value.toLocaleString("en-US");
}
