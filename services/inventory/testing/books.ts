import type { Kysely } from "kysely";
import type { InventoryDatabase } from "../db/schema.ts";

/** Audits the books. Returns the discrepancies; empty if all sums agree. */
export async function auditBooks(db: Kysely<InventoryDatabase>): Promise<string[]> {
  const items = await db.selectFrom("items").selectAll().execute();
  const movements = await db.selectFrom("stock_movements").selectAll().orderBy("sequence").execute();
  const reservations = await db.selectFrom("reservations").selectAll().execute();
  const lines = await db.selectFrom("reservation_lines").selectAll().execute();
  const live = new Set(
    reservations
      .filter(({ state }) => state === "HELD" || state === "COMMITTED")
      .map(({ tenant_id, id }) => `${tenant_id}/${id}`),
  );
  return items.flatMap((item) => {
    const sameItem = (row: { tenant_id: string; sku: string }) =>
      row.tenant_id === item.tenant_id && row.sku === item.sku;
    const ledger = movements.filter(sameItem);
    const onHand = sum(ledger.map((it) => it.on_hand_delta));
    const reserved = sum(ledger.map((it) => it.reserved_delta));
    const held = sum(
      lines
        .filter((line) => sameItem(line) && live.has(`${line.tenant_id}/${line.reservation_id}`))
        .map((line) => BigInt(line.quantity) - BigInt(line.consumed)),
    );
    let running = 0n;
    let runningReserved = 0n;
    const gap = ledger.find((it) => {
      running += BigInt(it.on_hand_delta);
      runningReserved += BigInt(it.reserved_delta);
      return BigInt(it.stock_on_hand) !== running || BigInt(it.stock_reserved) !== runningReserved;
    });
    const facts: [boolean, string][] = [
      [onHand === BigInt(item.stock_on_hand), `on hand is ${item.stock_on_hand}, the ledger says ${onHand}`],
      [reserved === BigInt(item.stock_reserved), `reserved is ${item.stock_reserved}, the ledger says ${reserved}`],
      [held === BigInt(item.stock_reserved), `reserved is ${item.stock_reserved}, reservations hold ${held}`],
      [BigInt(item.stock_reserved) >= 0n, `reserved is ${item.stock_reserved}`],
      [BigInt(item.stock_on_hand) >= BigInt(item.stock_reserved), "more is reserved than there is"],
      [gap === undefined, `the ledger is not in one line at ${gap?.sequence}`],
    ];
    return facts.filter(([holds]) => !holds).map(([, problem]) => `${item.sku}: ${problem}`);
  });
}

function sum(values: readonly (number | bigint)[]): bigint {
  return values.reduce<bigint>((total, value) => total + BigInt(value), 0n);
}
