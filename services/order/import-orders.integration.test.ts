import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import type { ImportOrdersResponse } from "../../gen/docket/order/v1/order_service_pb.js";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { type RunningOrders, startOrders } from "./testing/running-orders.ts";

const head =
  "external_id,currency_code,customer_id,customer_display_name,recipient,address_lines,locality,region_code,sku,quantity";
const row = (id: string, sku = "TEA", name = "Ada") => `${id},EUR,c1,${name},Ada,1 Mill Lane,London,GB,${sku},1`;
const rows = (count: number, prefix = "A") => Array.from({ length: count }, (_, i) => row(`${prefix}-${i}`));
const fileOf = (...lines: readonly string[]) => `${[head, ...lines].join("\n")}\n`;

type Piece = string | Uint8Array;

function imported(
  world: RunningOrders,
  pieces: Piece | AsyncIterable<Piece>,
  { validateOnly = false, contentType = "text/csv" } = {},
): Promise<ImportOrdersResponse> {
  async function* messages() {
    for await (const piece of typeof pieces === "string" || pieces instanceof Uint8Array ? [pieces] : pieces) {
      const data = typeof piece === "string" ? Buffer.from(piece) : piece;
      yield { file: { contentType, data }, validateOnly };
    }
  }
  return world.orders.importOrders(messages());
}

/** Parts of a response other than field names. */
const report = ({ rowCount, createdCount, existingCount, failedCount, failures }: ImportOrdersResponse) => ({
  counts: [rowCount, createdCount, existingCount, failedCount].map(Number),
  failures: failures.map((it) => `${it.lineNumber} ${it.field}: ${it.message}`),
});

describeEachDatabase("an import", (open) => {
  const start = async (config: Parameters<typeof startOrders>[1] = {}) => {
    const { url } = await open<unknown>();
    return startOrders(url, config);
  };
  const orderIds = async (world: RunningOrders) =>
    (await world.orders.listOrders({ pageSize: 1000, orderBy: "external_id" })).orders.map((it) => it.externalId);

  test("reports malformed rows with their lines and creates the orders around them", async () => {
    await using world = await start();
    const file = fileOf(row("A"), row("B", "TEA", 'Bob "The" B'), row("C"), 'D,EUR,"c"1', row("E"));
    const result = await imported(world, file);
    expect(report(result)).toEqual({
      counts: [5, 3, 0, 2],
      failures: [
        expect.stringMatching(/^3 : value 4 has a quote/),
        expect.stringMatching(/^5 : value 3 has text after/),
      ],
    });
    expect(result.stop).toBeUndefined();
    expect(await orderIds(world)).toEqual(["A", "C", "E"]);
  });

  test("refuses line breaks in texts of one line, and takes those between address lines", async () => {
    await using world = await start();
    const result = await imported(
      world,
      fileOf(row("A", "TEA", '"Ada\nLovelace"'), row("B").replace("1 Mill Lane", '"1 Mill Lane\nLondon"')),
    );
    expect(report(result)).toEqual({
      counts: [2, 1, 0, 1],
      failures: ["2 customer_display_name: must be a single line, without the line break U+000A"],
    });
    expect(await orderIds(world)).toEqual(["B"]);
  });

  test("reports an unclosed quote and the orders created before it", async () => {
    await using world = await start();
    const result = await imported(world, fileOf(...rows(60), 'X,EUR,"c1', row("Y")));
    expect(report(result)).toEqual({ counts: [61, 60, 0, 1], failures: [expect.stringMatching(/^62 : .*not closed/)] });
    expect(result.stop).toMatchObject({ reason: "FILE_MALFORMED", lineNumber: 64n });
  });

  test.each(["PK\u0003\u0004xl/workbook.xml", "--b\r\nContent-Disposition: form-data", '"sku', "sku|quantity\n"])(
    "refuses the file %j as a whole",
    async (file) => {
      await using world = await start();
      const error = await imported(world, file).then(String, ConnectError.from);
      expect(error).toMatchObject({ code: Code.InvalidArgument });
    },
  );

  test("of the same file twice at once creates each order once and fails none", async () => {
    await using world = await start();
    const file = fileOf(...rows(200));
    const results = await Promise.all([imported(world, file), imported(world, file), imported(world, file)]);
    expect(results.map(({ failures }) => failures)).toEqual([[], [], []]);
    expect(results.reduce((sum, it) => sum + it.createdCount, 0n)).toBe(200n);
    expect(results.reduce((sum, it) => sum + it.existingCount, 0n)).toBe(400n);
    expect(await orderIds(world)).toHaveLength(200);
  });

  test("with validate_only reports what the import then does", async () => {
    await using world = await start();
    await imported(world, fileOf(...rows(3, "old")));
    const file = fileOf(
      ...rows(60),
      row("A-1"),
      row("bad", "NOPE"),
      ...rows(60, "B"),
      row("bad"),
      row("old-2"),
      row("old-2x"),
      row("old-2"),
      'x,EUR,c"1',
      row("A-59"),
    );
    const checked = await imported(world, file, { validateOnly: true });
    const done = await imported(world, file);
    expect(report(checked)).toEqual(report(done));
    expect(report(done)).toMatchObject({ counts: [128, 121, 1, 6] });
  });

  test("honours the encoding of its content type, and fails rows that are invalid in it", async () => {
    await using world = await start();
    const file = Buffer.from(fileOf(row("A", "TEA", "Zo\xeb"), row("B")), "latin1");
    const undeclared = await imported(world, file);
    expect(report(undeclared)).toEqual({
      counts: [2, 1, 0, 1],
      failures: [expect.stringMatching(/^2 : is not valid in the file's encoding.*charset=windows-1252/)],
    });
    expect(await imported(world, file, { contentType: "text/csv; charset=windows-1252" })).toMatchObject({
      createdCount: 1n,
      failures: [],
    });
    expect((await world.orders.lookupOrder({ externalId: "A" })).customer?.displayName).toBe("Zoë");
    const utf16 = await imported(world, Buffer.from(`\uFEFF${fileOf(row("C", "TEA", "Łódź"))}`, "utf16le"));
    expect(utf16).toMatchObject({ createdCount: 1n, failures: [] });
    expect((await world.orders.lookupOrder({ externalId: "C" })).customer?.displayName).toBe("Łódź");
  });

  test("ends at its limit of rows, and does not cut the order that is being read", async () => {
    await using world = await start({ importMaxRows: 7 });
    const result = await imported(world, fileOf(...rows(5), row("B"), row("B"), row("C"), row("C"), row("D")));
    expect(report(result)).toEqual({ counts: [7, 6, 0, 0], failures: [] });
    expect(result.stop).toMatchObject({ reason: "ROW_LIMIT", lineNumber: 9n });
    const cut = await imported(world, fileOf(row("E"), ...Array.from({ length: 7 }, () => row("F"))));
    expect(report(cut)).toEqual({ counts: [1, 1, 0, 0], failures: [] });
    expect(await orderIds(world)).not.toContain("F");
  });

  test("ends at its limit of bytes, and reports what it created before", async () => {
    await using world = await start({ importMaxBytes: 4096 });
    async function* pieces() {
      yield fileOf(...rows(10));
      for (;;) {
        yield `${row("X")}\n`;
      }
    }
    const result = await imported(world, pieces());
    expect(result).toMatchObject({ createdCount: 10n, stop: { reason: "BYTE_LIMIT", lineNumber: 12n } });
    expect(await orderIds(world)).toHaveLength(10);
  });

  test("ends at its limit of time, also while it waits for the caller", async () => {
    await using world = await start({ importMaxMs: 3_000 });
    async function* pieces() {
      yield fileOf(...rows(10));
      await new Promise(() => {});
    }
    const result = await imported(world, pieces());
    expect(result).toMatchObject({ createdCount: 9n, stop: { reason: "TIME_LIMIT", lineNumber: 11n } });
  });

  test("that another service's failure ends reports what it created before", async () => {
    await using world = await start();
    async function* pieces() {
      yield fileOf(...rows(51));
      while ((await orderIds(world)).length < 50) {
        await new Promise(setImmediate);
      }
      world.inventory.control.catalogAway = true;
      yield `${rows(60, "B").join("\n")}\n`;
    }
    const result = await imported(world, pieces());
    expect(result).toMatchObject({ createdCount: 50n, stop: { reason: "AWAY", lineNumber: 52n } });
    expect(await orderIds(world)).toHaveLength(50);
  });
});
