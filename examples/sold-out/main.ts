/**
 * The orders of Northwind against the stock that Northwind had: what running out looks like. Works in a tenant of its own.
 *
 *     make sold-out DATA=path/to/northwind
 */
import { createDocket } from "../../web-client/sdk/docket.ts";
import { DocketError } from "../../web-client/sdk/errors.ts";
import { inParallel } from "../in-parallel.ts";
import { useDocket } from "../local-docket.ts";
import { toItem, toOrder } from "../northwind/messages.ts";
import { readRecords } from "../northwind/records.ts";

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error("Say where Northwind's CSV files are: make sold-out DATA=path/to/northwind");
  process.exit(2);
}
const { products, orders, customers, lines } = await readRecords(folder);
await using running = await useDocket();

const tenant = `sold-out-${Date.now().toString(36)}`;
const admin = createDocket({ baseUrl: running.url, apiKey: running.adminKey });
const { key } = await admin.apiKeys.createApiKey({ apiKey: { displayName: "Sold out", scopes: ["admin"], tenant } });
const docket = createDocket({ baseUrl: running.url, apiKey: key, timeoutMs: 60_000 });
console.log(`Docket at ${running.url}, tenant ${tenant}: ${products.length} items with the stock of products.csv`);

await docket.items.batchUpsertItems({
  items: products.map((product) => toItem(product, BigInt(product.UnitsInStock))),
});

const sold = new Map<string, bigint>();
const refusals: DocketError[] = [];
let placed = 0;
await inParallel(orders, 16, async (record) => {
  const order = toOrder(record, customers.get(record.CustomerID), lines.get(record.OrderID) ?? []);
  try {
    const { lineItems } = await docket.placeOrder(order, { requestId: record.OrderID, waitMs: 30_000 });
    placed += 1;
    for (const { sku, quantity } of lineItems) {
      sold.set(sku, (sold.get(sku) ?? 0n) + BigInt(quantity));
    }
  } catch (error) {
    if (!(error instanceof DocketError && error.reason === "OUT_OF_STOCK")) {
      throw error;
    }
    refusals.push(error);
  }
});

console.log(`${orders.length} orders: ${placed} were placed, ${refusals.length} found too little stock, for example`);
for (const { message, metadata } of refusals.slice(0, 5)) {
  console.log(
    `  ${message}\n    sku ${metadata["sku"]}, wanted ${metadata["wanted"]}, available ${metadata["available"]}`,
  );
}

let oversold = 0;
let left = 0n;
for await (const item of docket.listItems({ pageSize: 500 })) {
  const product = products.find(({ ProductName }) => ProductName === item.title);
  left += item.stockAvailable;
  if (
    item.stockAvailable < 0n ||
    (sold.get(item.sku) ?? 0n) + item.stockAvailable !== BigInt(product?.UnitsInStock ?? 0)
  ) {
    oversold += 1;
    console.error(
      `  ${item.sku}: sold ${sold.get(item.sku) ?? 0n}, ${item.stockAvailable} left of ${product?.UnitsInStock}`,
    );
  }
}
const stock = products.reduce((sum, product) => sum + Number(product.UnitsInStock), 0);
console.log(
  `${stock} units in stock, ${stock - Number(left)} sold, ${left} left; ${oversold} items oversold or miscounted`,
);
process.exitCode = oversold === 0 ? 0 : 1;
