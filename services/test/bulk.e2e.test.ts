import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { parse } from "csv-parse/sync";
import { Order_State } from "../../gen/docket/order/v1/order_pb.js";
import { ExportFormat } from "../../gen/docket/order/v1/order_service_pb.js";
import type { Docket } from "../../web-client/sdk/docket.ts";
import { runCli } from "./support/cli.ts";
import { eventually } from "./support/eventually.ts";
import { untilState } from "./support/shop.ts";
import { openShops } from "./support/shops.ts";
import { describeEachStorage } from "./support/start-docket.ts";

const columns = [
  "external_id",
  "currency_code",
  "customer_id",
  "recipient",
  "address_lines",
  "locality",
  "region_code",
  "sku",
  "quantity",
  "unit_price",
  "discount_rate",
  "payment_token",
  "note",
];
/** Differs from shop to shop. */
const own = ["name", "create_time", "state", "payment_state"];

/** Builds a CSV file of orders with this many lines each; `change` may break a row, by its line number. */
function csvOf(
  orders: number,
  lines: number,
  change: (row: string[], line: number) => string[] = (row) => row,
): string {
  const rows = [columns.join(",")];
  for (let order = 1; order <= orders; order++) {
    for (let line = 1; line <= lines; line++) {
      const note = line === 1 ? `"said ""hello"", twice"` : "";
      const row = [`B-${order}`, "EUR", `c${order % 10}`, "Ada", "1 Main St", "Berlin", "DE", "TEA", `${line}`, "2.35"];
      rows.push(change([...row, "0.15", "tok_timeout", note], rows.length + 1).join(","));
    }
  }
  return `${rows.join("\r\n")}\r\n`;
}

describeEachStorage("files of orders", (createStorage) => {
  const shops = openShops(createStorage);
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "docket-bulk-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const csv = { contentType: "text/csv" } as const;
  const exported = async (docket: Docket, format: ExportFormat, filter = "") => {
    const pieces = await Array.fromAsync(docket.orders.exportOrders({ format, filter }, { timeoutMs: 0 }));
    return Buffer.concat(pieces.map(({ data }) => data)).toString();
  };
  const comparable = (text: string) =>
    parse<Record<string, string>>(text, { columns: true }).map((row) =>
      Object.fromEntries(Object.entries(row).filter(([column]) => !own.includes(column))),
    );

  test("of 5,000 rows go in and come out, and go into another shop the same", async () => {
    const [first, second] = [await shops.open(1_000_000), await shops.open(1_000_000)];
    const file = csvOf(500, 10);
    const checked = await first.docket.importOrders(file, { ...csv, validateOnly: true });
    expect(checked).toMatchObject({ rowCount: 5_000n, createdCount: 500n, failedCount: 0n });
    expect(await Array.fromAsync(first.docket.listOrders())).toHaveLength(0);
    expect(await first.docket.importOrders(new Blob([file]).stream(), csv)).toMatchObject({
      rowCount: 5_000n,
      createdCount: 500n,
      existingCount: 0n,
      failures: [],
    });
    const again = await first.docket.importOrders(file, csv);
    expect(again).toMatchObject({ createdCount: 0n, existingCount: 500n, failedCount: 0n });

    const text = await exported(first.docket, ExportFormat.CSV);
    const rows = parse(text, { columns: true });
    expect(rows).toHaveLength(5_000);
    expect(rows[0]).toMatchObject({
      external_id: "B-1",
      unit_price: "2.35",
      discount_rate: "0.15",
      line_total: "2.00",
    });
    expect(text).not.toContain("tok_");
    // A tenth of them is enough to see that they come back alike.
    const tenth = await exported(first.docket, ExportFormat.CSV, 'customer.id = "c3"');
    expect(await second.docket.importOrders(tenth, csv)).toMatchObject({ createdCount: 50n, failures: [] });
    expect(comparable(await exported(second.docket, ExportFormat.CSV))).toEqual(comparable(tenth));
    for (const { docket: shop } of [first, second]) {
      const placing = async () => (await shop.orders.listOrders({ filter: "state = PLACING", pageSize: 1 })).orders;
      await eventually(async () => (await placing()).length, 0, 240_000);
    }
  }, 600_000);

  test("with bad rows say which line and field is wrong, and take the others", async () => {
    const { docket } = await shops.open(1_000);
    const bad: Record<number, [column: string, value: string]> = {
      3: ["quantity", "none"],
      5: ["sku", "NOPE"],
      8: ["region_code", "Germany"],
      9: ["unit_price", "2.3.5"],
      11: ["currency_code", "XXQ"],
      13: ["customer_id", ""],
      14: ["discount_rate", "1.5"],
    };
    const file = csvOf(16, 1, (row, line) => {
      const [column, value] = bad[line] ?? [];
      return row.map((text, i) => (columns[i] === column ? (value ?? "") : text));
    });
    const result = await docket.importOrders(file, csv);
    expect(result).toMatchObject({ rowCount: 16n, createdCount: 9n, failedCount: 7n });
    const reported = result.failures.map(({ lineNumber, field }) => [Number(lineNumber), field]);
    expect(reported.sort()).toEqual(
      Object.entries(bad)
        .map(([line, [column]]) => [Number(line), column])
        .sort(),
    );
    expect(result.failures.find(({ lineNumber }) => lineNumber === 3n)?.externalId).toBe("B-2");
    expect(result.failures.every(({ message }) => message !== "")).toBe(true);
    await expect(docket.importOrders("sku,colour\nTEA,red\n", csv)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  }, 240_000);

  test("go through the command line as CSV and NDJSON, with exit codes and reports of bad rows", async () => {
    const [first, second, third] = [await shops.open(1_000), await shops.open(1_000), await shops.open(1_000)];
    const at = (key: string) => ({ url: shops.docket.running.httpUrl, key });
    const path = (name: string) => join(folder, name);
    await writeFile(path("orders.csv"), csvOf(40, 2));
    expect(await runCli(["import", "--dry-run", path("orders.csv")], at(first.key))).toMatchObject({ code: 0 });
    const imported = await runCli(["import", path("orders.csv")], at(first.key));
    expect(imported).toMatchObject({ code: 0, stdout: expect.stringContaining("80 rows: 40 orders created") });

    expect((await runCli(["export", path("out.ndjson")], at(first.key))).code).toBe(0);
    const lines = (await readFile(path("out.ndjson"), "utf8")).trim().split("\n");
    expect(lines).toHaveLength(40);
    await writeFile(path("broken.ndjson"), [...lines.slice(0, 20), "{", ...lines.slice(20)].join("\n"));
    const broken = await runCli(["import", path("broken.ndjson")], at(second.key));
    expect(broken).toMatchObject({ code: 3, stdout: expect.stringContaining("40 orders created") });
    expect(broken.stdout).toContain("line 21");

    expect((await runCli(["export", path("out.csv"), "-f", 'customer.id = "c3"'], at(second.key))).code).toBe(0);
    const few = await runCli(["import", path("out.csv")], at(third.key));
    expect(few).toMatchObject({ code: 0, stdout: expect.stringContaining("8 rows: 4 orders created") });
    const listed = await runCli(["orders", "list", "--json"], at(third.key));
    expect(listed.stdout.trim().split("\n")).toHaveLength(4);
    for (const line of listed.stdout.trim().split("\n")) {
      await untilState(third.docket, JSON.parse(line).name, [Order_State.AWAITING_PAYMENT]);
    }
    const refused = await runCli(["import", path("out.csv")], at("dk_wrong"));
    expect(refused.code).toBe(5);
  }, 240_000);
});
