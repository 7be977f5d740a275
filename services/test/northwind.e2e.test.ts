import { execFile } from "node:child_process";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { createDocket } from "../../web-client/sdk/docket.ts";
import { childEnvironment } from "./support/child-environment.ts";
import { stockTea, teaOrder } from "./support/shop.ts";
import { describeEachStorage, startDocket } from "./support/start-docket.ts";

const example = join(import.meta.dirname, "../../examples/northwind/main.ts");

/** Twelve orders of three lines in the form of Northwind's files; every fourth was never shipped. */
async function writeRecords(folder: string): Promise<void> {
  const day = (order: number) => `1996-07-${String(order).padStart(2, "0")} 00:00:00.000`;
  const orders = Array.from({ length: 12 }, (_, i) => i + 1);
  const files = {
    "products.csv": [
      "ProductID,ProductName,QuantityPerUnit,UnitPrice,UnitsInStock,UnitsOnOrder,ReorderLevel,Discontinued",
      ...[1, 2, 3, 4, 5].map((id) => `${id},Product ${id},1 box,${id}.5,0,0,0,${id === 5 ? 1 : 0}`),
    ],
    "customers.csv": [
      "CustomerID,CompanyName,ContactName,Address,City,Region,PostalCode,Country,Phone",
      "ALFKI,Alfreds,Maria Anders,Obere Str. 57,Berlin,,12209,Germany,030-0074321",
    ],
    "orders.csv": [
      "OrderID,CustomerID,OrderDate,RequiredDate,ShippedDate,ShipVia,Freight,ShipName,ShipAddress,ShipCity,ShipRegion,ShipPostalCode,ShipCountry",
      ...orders.map((id) => {
        const shipped = id % 4 === 0 ? "" : day(id + 2);
        return `${id},ALFKI,${day(id)},${day(id + 9)},${shipped},1,${id}.${id},Alfreds,Obere Str. 57,Berlin,,12209,Germany`;
      }),
    ],
    "order_details.csv": [
      "OrderID,ProductID,UnitPrice,Quantity,Discount",
      // 3.33 at 15 % off is 0.4995 of a discount: it must be rounded as Docket rounds it.
      ...orders.flatMap((id) =>
        [`${id},1,3.33,1,0.15`, `${id},${2 + (id % 4)},9.8,${id},0.05`, `${id},2,14,2,0.0`].slice(
          0,
          id % 4 === 0 ? 2 : 3,
        ),
      ),
    ],
  };
  for (const [name, rows] of Object.entries(files)) {
    await writeFile(join(folder, name), `${rows.join("\n")}\n`);
  }
}

describeEachStorage("the northwind example", (createStorage) => {
  test("brings any folder of its form to its end, balances, and changes nothing when it is run again", async () => {
    await using storage = await createStorage();
    await using docket = await startDocket({}, storage);
    const folder = await mkdtemp(join(tmpdir(), "docket-northwind-"));
    const { httpUrl, adminKey } = docket.running;
    const env = { ...childEnvironment, DOCKET_URL: httpUrl, DOCKET_ADMIN_KEY: adminKey };
    const run = () =>
      new Promise<{ code: number; text: string }>((resolve) => {
        const node = ["--disable-warning=ExperimentalWarning", example, folder];
        execFile(process.execPath, node, { env }, (error, stdout, stderr) => {
          resolve({ code: error === null ? 0 : Number(error.code), text: stdout + stderr });
        });
      });
    try {
      await writeRecords(folder);
      // A shop with other orders, one of them unpaid, which the example must ignore.
      const shop = createDocket({ baseUrl: httpUrl, apiKey: adminKey });
      await stockTea(shop, 3);
      await shop.placeOrder({ ...teaOrder(), externalId: "own-1", paymentToken: "tok_action" });
      const first = await run();
      expect(first.text).toContain("new: 5 items, 12 orders, 9 shipments");
      expect(first.text).toContain("stock and money ledgers balance");
      expect(first.text).toMatch(/COMPLETED +9 +9\n/);
      expect(first.text).not.toContain("DIFFERS");
      expect(first.code).toBe(0);

      const second = await run();
      expect(second.text).toContain("new: 0 items, 0 orders, 0 shipments");
      expect(second.code).toBe(0);

      // A line missing in Docket is a difference, which the example must report.
      await appendFile(join(folder, "order_details.csv"), "1,3,1.00,1,0.0\n");
      const third = await run();
      expect(third.text).toMatch(/lines .* DIFFERS/);
      expect(third.code).toBe(1);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 120_000);
});
