import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import fc from "fast-check";
import { Automation, type Order, OrderSchema } from "../../../../gen/docket/order/v1/order_pb.js";
import { exportedColumns, toCsv, toCsvRows } from "./csv-columns.ts";
import { readRows } from "./csv-rows.ts";
import { type ImportRecord, isFailure } from "./import-record.ts";
import { readLines } from "./lines.ts";
import { readCsv } from "./read-csv.ts";
import { readNdjson } from "./read-ndjson.ts";

async function* pieces(text: string | Uint8Array, size: number) {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  for (let at = 0; at < bytes.length; at += size) {
    yield bytes.subarray(at, at + size);
  }
}

const summaryOf = ({ lineNumber, rows, externalId, order }: ImportRecord) =>
  isFailure(order) ? `${order.lineNumber} ${order.field}: ${order.message}` : `${lineNumber} ${externalId} ${rows}`;

const csv = async (text: string | Uint8Array, size = 5) => Array.fromAsync(readCsv(pieces(text, size)), summaryOf);
const ndjson = async (text: string, size = 5) => Array.fromAsync(readNdjson(pieces(text, size)), summaryOf);

const head =
  "external_id,currency_code,customer_id,recipient,address_lines,locality,region_code,sku,quantity,name,labels";
const row = (id: string, rest = "1,,") => `${id},EUR,c1,Zoë,"1 Mill\nLane",London,GB,TEA,${rest}`;

describe("CSV", () => {
  test.each([1, 3, 7, 1000])("is read in pieces of %s bytes, rows grouped and lines counted", async (size) => {
    const file = `${head}\r\n${row("A")}\r\n${row("A")}\r\n\r\n${row("B")}\r\n${row("", "1,orders/x,")}\r\n`;
    expect(await csv(file, size)).toEqual(["2 A 2", "7 B 1", "9  1"]);
  });

  test("groups by name if there is no external_id, and otherwise by row", async () => {
    const rows = [row("", "1,orders/x,"), row("", "2,orders/x,"), row(""), row("")];
    expect(await csv([head, ...rows].join("\n"))).toEqual(["2  2", "6  1", "8  1"]);
  });

  test("rejects contradicting rows of one order, and accepts empty cells", async () => {
    const rows = [row("A"), "A,,,,,,,TEA,2,,", row("B"), "B,USD,,,,,,TEA,2,,"];
    expect(await csv([head, ...rows].join("\n"))).toEqual([
      "2 A 2",
      "7 currency_code: differs from line 5, the first one of the same order",
    ]);
  });

  test("reports the column of an unreadable value", async () => {
    const rows = [row("A", "1.5,,"), row("B", '1,,"[1]"'), row("C", '1,,"{""a"":""b""}"')];
    expect(await csv([head, ...rows].join("\n"))).toEqual([
      "2 quantity: is not a whole number",
      "4 labels: is not a JSON object of texts",
      "6 C 1",
    ]);
  });

  test.each([
    ["external_id,colour", /there is no column "colour".*the header lacks currency_code/s],
    [`${head},sku`, /the column sku occurs twice/],
    ['external_id,"sku', /is not CSV: line 1 a value of this row begins with a quote that is not closed/],
    [head.replaceAll(",", "|"), /separated by commas, semicolons or tabs/],
    [`${head}\r${row("A")}`, /lines end in carriage returns alone/],
  ])("of the form %j is refused as a whole", async (file, message) => {
    await expect(csv(file)).rejects.toThrow(message);
  });

  test.each([";", "\t"])("is read with the delimiter %j", async (delimiter) => {
    const file = [head, row("A"), 'B,EUR,c1,"a,b;c\td",x,London,GB,TEA,1,,'];
    const values = file.map((line, i) => (i < 2 ? line.replaceAll(",", delimiter) : line));
    const third = ["B", "EUR", "c1", '"a,b;c\td"', "x", "London", "GB", "TEA", "1", "", ""].join(delimiter);
    expect(await csv([...values.slice(0, 2), third].join("\r\n"))).toEqual(["2 A 1", "4 B 1"]);
  });

  test.each([
    ['B,EUR,Bob "The" B,"x",y,London,GB,TEA,1,,', /^3 : value 3 has a quote but does not begin with one/],
    ['B,EUR,"Bob" B,"x",y,London,GB,TEA,1,,', /^3 : value 3 has text after its closing quote/],
    ['B,EUR,5" disk,"x",y,London,GB,TEA,1,,', /^3 : value 3 has a quote/],
    ["B,EUR,c1\xff,x,y,London,GB,TEA,1,,", /^3 : is not valid in the file's encoding/],
  ])("reports the malformed row %.40j and reads the rows after it", async (bad, message) => {
    const file = Buffer.concat([
      Buffer.from(`${head}\n${row("A").replace("\n", " ")}\n`),
      Buffer.from(`${bad}\n`, "latin1"),
      Buffer.from(row("C")),
    ]);
    const read = await csv(file, 4096);
    expect(read).toEqual(["2 A 1", expect.stringMatching(message), "4 C 1"]);
  });

  test("skips a line that is far too long", async () => {
    const one = (id: string) => row(id).replace("\n", " ");
    const long = `B,EUR,${"c".repeat(1024 * 1024)}`;
    expect(await csv([head, one("A"), one("B"), long, one("C"), one("D")].join("\n"), 4096)).toEqual([
      "2 A 1",
      "4 : is longer than 1048576 bytes",
      "4 : cannot be read, and may be a row of this order",
      "6 D 1",
    ]);
  });

  test("fails only the order with a malformed row", async () => {
    const one = (id: string) => row(id).replace("\n", " ");
    const bad = (id: string) => one(id).replace("Zoë", 'Zoë "Z" Z');
    expect(await csv([head, one("A"), one("B"), bad("B"), one("B"), bad("C"), one("D")].join("\n"))).toEqual([
      "2 A 1",
      expect.stringMatching(/^4 : value 4 has a quote/),
      expect.stringMatching(/^6 : value 4 has a quote/),
      "7 D 1",
    ]);
  });

  test("fails the orders on both sides of a row that ends before its external_id", async () => {
    const columns = "sku,quantity,currency_code,customer_id,recipient,address_lines,locality,region_code,external_id";
    const one = (id: string) => `TEA,1,EUR,c1,Ada,1 Mill Lane,London,GB,${id}`;
    const file = [columns, one("A"), one("B"), 'TEA,1,EUR,c"1', one("C"), one("D")].join("\n");
    expect(await csv(file)).toEqual([
      "2 A 1",
      expect.stringMatching(/^4 : value 4 has a quote/),
      "4 : cannot be read, and may be a row of this order",
      "6 D 1",
    ]);
  });

  test.each([row("A"), ""])("reports an unclosed quote after the rows before it", async (before) => {
    const read: string[] = [];
    const all = (async () => {
      for await (const record of readCsv(pieces(`${head}\n${before}\nB,EUR,"c1,x\nC,EUR,c1\n`, 5))) {
        read.push(summaryOf(record));
      }
    })();
    await expect(all).rejects.toMatchObject({ reason: "FILE_MALFORMED" });
    expect(read.at(-1)).toMatch(/^[34] : a value of this row begins with a quote that is not closed/);
    expect(read).toHaveLength(before === "" ? 1 : 2);
  });

  test("is split into the same values as by csv-parse", async () => {
    const value = fc.string({ unit: fc.constantFrom("a", "ö", '"', ",", "\n", "\r\n", ";", "'", " ") });
    const rows = fc.array(fc.array(value, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(
        rows,
        fc.constantFrom("\n", "\r\n"),
        fc.integer({ min: 1, max: 9 }),
        async (values, end, size) => {
          const file = stringify(values, { record_delimiter: end, quoted_match: /[\r\n]/ });
          const read = await Array.fromAsync(readRows(readLines(pieces(file, size), 1000), ","));
          expect(read.map((it) => [it.problem, ...it.values])).toEqual(
            parse(file, { relax_column_count: true, record_delimiter: end }).map((it) => [undefined, ...it]),
          );
        },
      ),
    );
  });

  test("without rows has no orders", async () => {
    expect(await csv(head)).toEqual([]);
    expect(await csv("")).toEqual([]);
  });
});

describe("exported CSV", () => {
  const text = fc.string({
    minLength: 1,
    unit: fc.constantFrom("=", "+", "-", "@", "\t", "'", '"', ",", ";", "a", "ü", "\r", "\n"),
  });
  const line = text.filter((it) => !/[\r\n]/.test(it));
  const orders = fc
    .record({ id: text, displayName: text, phone: text, note: text, addressLine: line, label: text })
    .map(({ id, displayName, phone, note, addressLine, label }) =>
      create(OrderSchema, {
        externalId: id,
        currencyCode: "EUR",
        customer: { id, displayName, phone },
        shippingAddress: { recipient: displayName, addressLines: [addressLine, "x"], locality: id, regionCode: "DE" },
        capture: Automation.AUTOMATIC,
        fulfillment: Automation.MANUAL,
        labels: { channel: label },
        note,
        lineItems: [{ sku: "TEA", quantity: 1, discountRate: "0.5" }],
      }),
    );
  const cells = (order: Order) => toCsvRows(order).flat();

  test("has no cells that a spreadsheet evaluates", () => {
    fc.assert(
      fc.property(orders, (order) => expect(cells(order).filter((cell) => /^[=+\-@\t\r]/.test(cell))).toEqual([])),
    );
  });

  test("is read back as the written orders", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(orders, { minLength: 1, maxLength: 3 }), async (written) => {
        const distinct = written.map((order, i) => ({ ...order, externalId: `${order.externalId}${i}` }));
        const file = toCsv([[...exportedColumns], ...distinct.flatMap(toCsvRows)]);
        const read = await Array.fromAsync(readCsv(pieces(file, 11)), ({ order }) => order);
        const zero = { currencyCode: "EUR", units: 0n, nanos: 0 };
        expect(read).toMatchObject(
          distinct.map(({ lineItems, ...order }) => ({
            ...order,
            shippingFee: zero,
            lineItems: lineItems.map((it) => ({ ...it, unitPrice: zero, discount: zero })),
          })),
        );
      }),
    );
  });
});

describe("NDJSON", () => {
  test.each([1, 4, 1000])("is read in pieces of %s bytes", async (size) => {
    expect(await ndjson('{"externalId":"Ä"}\n\n  \n{"externalId":"B"}', size)).toEqual(["1 Ä 1", "4 B 1"]);
  });

  test("skips a line that is far too long", async () => {
    const file = `{"externalId":"A"}\n{"note":"${"x".repeat(5 * 1024 * 1024)}"}\n{"externalId":"B"}\n`;
    expect(await ndjson(file, 65_536)).toEqual(["1 A 1", "2 : is longer than 524288 bytes", "3 B 1"]);
  });

  test("names fields as JSON does", async () => {
    const [record] = await Array.fromAsync(readNdjson(pieces("{}", 2)));
    expect(record?.locate("line_items[0].unit_price.currency_code")).toEqual({
      lineNumber: 1,
      field: "lineItems[0].unitPrice.currencyCode",
    });
    expect(record?.locate('labels["a_b"]').field).toBe('labels["a_b"]');
  });
});
