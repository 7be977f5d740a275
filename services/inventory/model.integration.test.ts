import type { Client } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Reservation_State as State } from "../../gen/docket/inventory/v1/inventory_pb.js";
import type { InventoryService } from "../../gen/docket/inventory/v1/inventory_service_pb.js";
import { reasonOf } from "../runtime/errors.ts";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { auditBooks } from "./testing/books.ts";
import { longTtl, startInventory } from "./testing/inventory.ts";
import { shipmentCollected } from "./testing/shipment-collected.ts";
import { type Command, StockModel } from "./testing/stock-model.ts";

const skus = ["a", "b", "c"];
const ids = ["r1", "r2", "r3", "r4"];
/** A given name always requests the same units, as the saga does. */
const unitsOf: Record<string, Record<string, number>> = {
  r1: { a: 2 },
  r2: { a: 1, b: 3 },
  r3: { b: 2, c: 2 },
  r4: { c: 4, a: 3 },
};

const id = fc.constantFrom(...ids);
const sku = fc.constantFrom(...skus);
const units = fc.dictionary(sku, fc.integer({ min: 1, max: 2 }), { minKeys: 1, maxKeys: 2, noNullPrototype: true });
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 3, arbitrary: id.map((it): Command => ({ kind: "reserve", id: it, units: unitsOf[it] ?? {} })) },
  { weight: 3, arbitrary: id.map((it): Command => ({ kind: "commit", id: it })) },
  { weight: 2, arbitrary: id.map((it): Command => ({ kind: "release", id: it })) },
  { weight: 1, arbitrary: id.map((it): Command => ({ kind: "overdue", id: it })) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("collect" as const), id, units }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("adjust" as const),
      sku,
      delta: fc.integer({ min: -4, max: 4 }).filter((it) => it !== 0),
    }),
  },
);

type Inventory = Awaited<ReturnType<typeof startInventory>>;
let runs = 0;

async function run(it: Inventory, client: Client<typeof InventoryService>, tenant: string, command: Command) {
  switch (command.kind) {
    case "reserve": {
      const items = Object.entries(command.units).map(([name, quantity]) => ({
        sku: name,
        quantity: BigInt(quantity),
      }));
      const request = { name: `reservations/${command.id}`, order: `orders/${command.id}`, items, ttl: longTtl };
      return client.reserveStock(request);
    }
    case "commit":
      return client.commitReservation({ name: `reservations/${command.id}` });
    case "release":
      return client.releaseReservation({ name: `reservations/${command.id}` });
    case "adjust":
      return client.adjustStock({ name: `items/${command.sku}`, delta: BigInt(command.delta) });
    case "collect":
      return it.bus.publish([shipmentCollected(tenant, command.id, command.units, `${tenant}-${++runs}`)]);
    case "overdue":
      // The database's clock cannot be moved, so the stored expiry is.
      return it.db.kysely
        .updateTable("reservations")
        .set({ expires_at: 1 })
        .where("tenant_id", "=", tenant)
        .where("id", "=", command.id)
        .where("state", "=", "HELD")
        .execute();
    default:
      return command satisfies never;
  }
}

async function stateOf(client: Client<typeof InventoryService>) {
  const { items } = await client.listItems({});
  const { reservations } = await client.listReservations({});
  return {
    stock: Object.fromEntries(items.map((item) => [item.sku, [Number(item.stockOnHand), Number(item.stockReserved)]])),
    reservations: Object.fromEntries(
      reservations.map(({ name, state }) => [name.slice("reservations/".length), State[state]]),
    ),
  };
}

describeEachDatabase("the inventory and its model", (open, dialect) => {
  test("agree after every command", async () => {
    await using it = await startInventory(open);
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 25 }), async (commands) => {
        const tenant = `run-${++runs}`;
        const client = it.clientOf(tenant);
        const stock = { a: 5, b: 4, c: 6 };
        const items = Object.entries(stock).map(([name, quantity]) => ({
          sku: name,
          title: name,
          stockOnHand: BigInt(quantity),
        }));
        await client.batchUpsertItems({ items });
        const model = new StockModel(stock);
        for (const command of commands) {
          if (command.kind === "collect" && !model.possible(command)) {
            continue;
          }
          const outcome = await run(it, client, tenant, command).then(
            () => "done",
            (error: unknown) => reasonOf(error) ?? `${error}`,
          );
          expect([command, outcome]).toEqual([command, model.run(command)]);
          expect(await stateOf(client)).toEqual({
            stock: Object.fromEntries(skus.map((name) => [name, [model.onHand.get(name), model.reserved.get(name)]])),
            reservations: Object.fromEntries([...model.reservations].map(([name, { state }]) => [name, state])),
          });
        }
      }),
      { numRuns: dialect === "sqlite" ? 60 : 10 },
    );
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  }, 120_000);
});
