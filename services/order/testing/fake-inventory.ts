import { create } from "@bufbuild/protobuf";
import { createServiceImplSpec, type ServiceImpl } from "@connectrpc/connect";
import {
  type Item,
  ItemSchema,
  Reservation_State,
  ReservationSchema,
} from "../../../gen/docket/inventory/v1/inventory_pb.js";
import {
  BatchGetItemsResponseSchema,
  InventoryService,
} from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { failedPrecondition, notFound, unavailable } from "../../runtime/errors.ts";
import { eur } from "./eur.ts";
import { beReachable } from "./fake-outage.ts";

interface Hold {
  readonly items: ReadonlyMap<string, bigint>;
  state: "HELD" | "COMMITTED" | "CONSUMED" | "RELEASED" | "EXPIRED";
}

/** The inventory in memory: calls are idempotent, and releasing what was never reserved is remembered. */
export function fakeInventory() {
  const items = new Map<string, Item>();
  const stock = new Map<string, bigint>();
  const holds = new Map<string, Hold>();
  const calls: string[] = [];

  /** `catalogAway`: whether BatchGetItems is unavailable as well. `whenReleased` delays the answer of a release. */
  const control = { away: 0, catalogAway: false, whenReleased: async () => {} };

  const put = (
    sku: string,
    cents: number,
    onHand = 1_000_000,
    more: Partial<Pick<Item, "discontinued" | "prices">> = {},
  ) => {
    items.set(
      sku,
      create(ItemSchema, { name: `items/${sku}`, sku, title: `The ${sku}`, prices: [eur(cents)], ...more }),
    );
    stock.set(sku, BigInt(onHand));
  };
  const closeReservation = (hold: Hold) => {
    for (const [sku, quantity] of hold.items) {
      stock.set(sku, (stock.get(sku) ?? 0n) + quantity);
    }
  };
  const answer = (name: string, hold: Hold) =>
    create(ReservationSchema, { name, state: Reservation_State[hold.state] });

  const impl: Partial<ServiceImpl<typeof InventoryService>> = {
    anonymizeReservations: () => ({}),
    batchGetItems({ skus }) {
      if (control.catalogAway) {
        throw unavailable("AWAY", "the inventory is away");
      }
      return create(BatchGetItemsResponseSchema, { items: skus.flatMap((sku) => items.get(sku) ?? []) });
    },
    reserveStock({ name, items: wanted }) {
      beReachable(control);
      calls.push(`reserve ${name}`);
      const known = holds.get(name);
      if (known !== undefined) {
        if (known.state === "RELEASED" || known.state === "EXPIRED") {
          throw failedPrecondition(`RESERVATION_${known.state}`, `${name} is ${known.state}`, []);
        }
        return answer(name, known);
      }
      const sums = new Map<string, bigint>();
      for (const { sku, quantity } of wanted) {
        sums.set(sku, (sums.get(sku) ?? 0n) + quantity);
      }
      const short = [...sums].filter(([sku, quantity]) => (stock.get(sku) ?? 0n) < quantity);
      if (short.length > 0) {
        throw failedPrecondition(
          "OUT_OF_STOCK",
          "out of stock",
          short.map(([sku, quantity]) => ({
            type: "OUT_OF_STOCK",
            subject: `items/${sku}`,
            description: `wanted ${quantity}, available ${stock.get(sku) ?? 0n}`,
          })),
        );
      }
      for (const [sku, quantity] of sums) {
        stock.set(sku, (stock.get(sku) ?? 0n) - quantity);
      }
      const hold: Hold = { items: sums, state: "HELD" };
      holds.set(name, hold);
      return answer(name, hold);
    },
    commitReservation({ name }) {
      beReachable(control);
      calls.push(`commit ${name}`);
      const hold = holds.get(name);
      if (hold === undefined) {
        throw notFound("docket.dev/Reservation", name);
      }
      if (hold.state === "RELEASED" || hold.state === "EXPIRED") {
        throw failedPrecondition(`RESERVATION_${hold.state}`, `${name} is ${hold.state}`, []);
      }
      hold.state = hold.state === "CONSUMED" ? "CONSUMED" : "COMMITTED";
      return answer(name, hold);
    },
    resizeReservation({ name, items: wanted, giveBackOnly }) {
      const units = wanted.map(({ sku, quantity }) => `${sku}:${quantity}`).join(",");
      calls.push(`resize ${name} to ${units}${giveBackOnly ? " at most" : ""}`);
      const hold = holds.get(name);
      if (hold === undefined) {
        throw notFound("docket.dev/Reservation", name);
      }
      return answer(name, hold);
    },
    async releaseReservation({ name }) {
      calls.push(`release ${name}`);
      await control.whenReleased();
      const hold = holds.get(name) ?? { items: new Map(), state: "RELEASED" };
      if (hold.state === "HELD" || hold.state === "COMMITTED") {
        closeReservation(hold);
        hold.state = "RELEASED";
      }
      holds.set(name, hold);
      return answer(name, hold);
    },
  };
  return {
    put,
    control,
    stock,
    holds,
    calls,
    /** Reserves these units under a name, as an earlier call would have. */
    reserve(name: string, units: Readonly<Record<string, bigint>>) {
      for (const [sku, quantity] of Object.entries(units)) {
        stock.set(sku, (stock.get(sku) ?? 0n) - quantity);
      }
      holds.set(name, { items: new Map(Object.entries(units)), state: "HELD" });
    },
    /** Moves a reservation to a state, and releases its units if it ends. */
    move(name: string, state: Hold["state"]) {
      const hold = holds.get(name);
      if (hold === undefined) {
        throw new Error(`there is no ${name}`);
      }
      if (state === "EXPIRED" || state === "RELEASED") {
        closeReservation(hold);
      }
      hold.state = state;
    },
    spec: createServiceImplSpec(InventoryService, impl),
  };
}
