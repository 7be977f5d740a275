import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { openDatabase } from "../runtime/db/connect.ts";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import type { InventoryDatabase } from "./db/schema.ts";
import { auditBooks } from "./testing/books.ts";
import { type Boundary, boundaries, ORDERS } from "./testing/crashing-inventory.ts";

const program = fileURLToPath(new URL("testing/crashing-inventory.ts", import.meta.url));

/** Runs the program to its end; resolves with what it acknowledged and how it ended. */
async function run(url: string, killAt?: Boundary) {
  const child = spawn(process.execPath, [program, url, ...(killAt === undefined ? [] : [killAt])], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  const [code, signal] = await once(child, "close");
  return { acknowledged: output.split("\n").slice(0, -1), end: signal ?? code };
}

describeEachDatabase("a process that changes stock", (open) => {
  test.each(Object.keys(boundaries) as Boundary[])(
    "that is killed in a batch, %s, loses nothing that it acknowledged, and its repetition changes nothing twice",
    async (killAt) => {
      const { url } = await open();

      const killed = await run(url, killAt);
      await using db = await openDatabase<InventoryDatabase>({ url });
      const { kysely } = db;
      const keys = await kysely.selectFrom("idempotency_keys").select("request_id").execute();
      const reservations = await kysely.selectFrom("reservations").select("id").execute();

      expect(killed.end).toBe("SIGKILL");
      expect(killed.acknowledged.length).toBeGreaterThan(0);
      const stored = new Set([...keys.map((row) => row.request_id), ...reservations.map((row) => row.id)]);
      expect(killed.acknowledged.filter((what) => !stored.has(what))).toEqual([]);
      expect(await auditBooks(kysely)).toEqual([]);

      expect((await run(url)).end).toBe(0);

      expect(await auditBooks(kysely)).toEqual([]);
      const { stock_on_hand } = await kysely
        .selectFrom("items")
        .select("stock_on_hand")
        .where("sku", "=", "c")
        .executeTakeFirstOrThrow();
      expect(Number(stock_on_hand)).toBe(1000 + ORDERS);
      const states = await kysely.selectFrom("reservations").select(["id", "state"]).execute();
      expect(Object.fromEntries(states.map(({ id, state }) => [id, state]))).toEqual(
        Object.fromEntries(Array.from({ length: ORDERS }, (_, n) => [`r${n}`, n % 3 === 0 ? "RELEASED" : "COMMITTED"])),
      );
    },
    120_000,
  );
});
