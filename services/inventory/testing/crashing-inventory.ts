import { openDatabase } from "../../runtime/db/connect.ts";
import type { Statement } from "../../runtime/db/statement.ts";
import { longTtl, startInventory } from "./inventory.ts";

/** Where the program kills itself between two steps of a batch. */
export const boundaries = {
  "after it has loaded its rows": /^select .* from `reservations`/,
  "after it has written some of its rows": /^update `items`/,
  "before it commits": /insert into outbox_messages/,
  "after it has committed": /^commit$/,
} as const satisfies Record<string, RegExp>;

export type Boundary = keyof typeof boundaries;

/** Orders of a run: each reserves, then commits or releases, and adds one unit under an idempotency key. */
export const ORDERS = 48;
const KILL_AT_BATCH = 6;

/**
 * A process that changes stock for {@link ORDERS} orders, 16 at a time, prints what was acknowledged, and exits:
 * `node crashing-inventory.ts <database URL> [<boundary>]`. With a boundary it kills itself there in a later batch.
 */
if (process.argv[1] === import.meta.filename) {
  const [, , url = "", killAt = ""] = process.argv;
  const pattern = boundaries[killAt as Boundary];
  let armed = false;
  let batches = 0;
  const onStatement = ({ sql, error }: Statement) => {
    if (!armed || error !== undefined) {
      return;
    }
    batches += /^begin/.test(sql) ? 1 : 0;
    if (batches >= KILL_AT_BATCH && pattern?.test(sql)) {
      process.kill(process.pid, "SIGKILL");
    }
  };
  const open = async <DB>() => ({ ...(await openDatabase<DB>({ url })), url });
  const world = await startInventory(open, { expiryPollMs: 60_000, onStatement });
  const { inventory } = world;
  const items = ["a", "b", "c"].map((sku) => ({ sku, title: sku, stockOnHand: 1000n }));
  await inventory.batchUpsertItems({ items });
  const tell = (what: string) => process.stdout.write(`${what}\n`);
  armed = true;

  let next = 0;
  const work = async () => {
    while (next < ORDERS) {
      const n = next;
      next += 1;
      const name = `reservations/r${n}`;
      await inventory.adjustStock({ name: "items/c", delta: 1n, requestId: `adjustment-${n}` });
      tell(`adjustment-${n}`);
      const lines = ["a", n % 2 === 0 ? "b" : "c"].map((sku) => ({ sku, quantity: 2n }));
      await inventory.reserveStock({ name, order: `orders/o${n}`, ttl: longTtl, items: lines }).then(
        () => tell(`r${n}`),
        // A run before this one has released it.
        (error: unknown) => (n % 3 === 0 ? undefined : Promise.reject(error)),
      );
      await (n % 3 === 0 ? inventory.releaseReservation({ name }) : inventory.commitReservation({ name }));
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
  await world[Symbol.asyncDispose]();
  await world.db[Symbol.asyncDispose]();
}
