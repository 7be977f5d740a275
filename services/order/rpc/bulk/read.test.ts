import { describe, expect, test } from "@jest/globals";
import { type ImportRecord, isFailure } from "./import-record.ts";
import { readCsv } from "./read-csv.ts";
import { readNdjson } from "./read-ndjson.ts";

async function* pieces(text: string, size: number) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) {
    yield bytes.subarray(at, at + size);
  }
}

const told = ({ lineNumber, rows, externalId, order }: ImportRecord) =>
  isFailure(order) ? `${order.lineNumber} ${order.field}: ${order.message}` : `${lineNumber} ${externalId} ${rows}`;

const csv = async (text: string, size = 5) => Array.fromAsync(readCsv(pieces(text, size)), told);
const ndjson = async (text: string, size = 5) => Array.fromAsync(readNdjson(pieces(text, size)), told);

const head =
  "external_id,currency_code,customer_id,recipient,address_lines,locality,region_code,sku,quantity,name,labels";
const row = (id: string, rest = "1,,") => `${id},EUR,c1,Zoë,"1 Mill\nLane",London,GB,TEA,${rest}`;

describe("CSV", () => {
  test.each([1, 3, 7, 1000])("is read in pieces of %s bytes, rows grouped and lines counted", async (size) => {
    const file = `\uFEFF${head}\r\n${row("A")}\r\n${row("A")}\r\n\r\n${row("B")}\r\n${row("", "1,orders/x,")}\r\n`;
    expect(await csv(file, size)).toEqual(["2 A 2", "7 B 1", "9  1"]);
  });

  test("groups by the name where there is no number of the caller's own, and else by row", async () => {
    const rows = [row("", "1,orders/x,"), row("", "2,orders/x,"), row(""), row("")];
    expect(await csv([head, ...rows].join("\n"))).toEqual(["2  2", "6  1", "8  1"]);
  });

  test("refuses rows of one order that say different things of it, and takes empty ones", async () => {
    const rows = [row("A"), "A,,,,,,,TEA,2,,", row("B"), "B,USD,,,,,,TEA,2,,"];
    expect(await csv([head, ...rows].join("\n"))).toEqual([
      "2 A 2",
      "7 currency_code: differs from line 5, the first one of the same order",
    ]);
  });

  test("names the column of what cannot be read", async () => {
    const rows = [row("A", "1.5,,"), row("B", '1,,"[1]"'), row("C", '1,,"{""a"":""b""}"')];
    expect(await csv([head, ...rows].join("\n"))).toEqual([
      "2 quantity: is not a whole number",
      "4 labels: is not a JSON object of texts",
      "6 C 1",
    ]);
  });

  test.each([
    ["external_id,colour", /there is no column "colour".*the header lacks currency_code/s],
    [`${head},sku`, /the column sku stands there twice/],
    [`${head}\nA,"EUR`, /is not CSV/],
  ])("of the form %j is refused as a whole", async (file, message) => {
    await expect(csv(file)).rejects.toThrow(message);
  });

  test("without rows has no orders", async () => {
    expect(await csv(head)).toEqual([]);
    expect(await csv("")).toEqual([]);
  });
});

describe("NDJSON", () => {
  test.each([1, 4, 1000])("is read in pieces of %s bytes", async (size) => {
    expect(await ndjson('\uFEFF{"externalId":"Ä"}\n\n  \n{"externalId":"B"}', size)).toEqual(["1 Ä 1", "4 B 1"]);
  });

  test("passes over a line that is far too long", async () => {
    const file = `{"externalId":"A"}\n{"note":"${"x".repeat(5 * 1024 * 1024)}"}\n{"externalId":"B"}\n`;
    expect(await ndjson(file, 65_536)).toEqual(["1 A 1", "2 : the line is longer than 4194304 bytes", "3 B 1"]);
  });
});
