import { expect, test } from "@jest/globals";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { refusal } from "../runtime/testing/refusal.ts";
import { auditBooks } from "./testing/books.ts";
import { longTtl, startInventory } from "./testing/inventory.ts";

const eur = (units: bigint, nanos = 0) => ({ currencyCode: "EUR", units, nanos });
const chai = { sku: "chai", title: "Chai", prices: [eur(18n)], stockOnHand: 39n };

describeEachDatabase("items", (open) => {
  test("an item is created with its initial stock as the first ledger entry", async () => {
    await using it = await startInventory(open);
    const created = await it.inventory.createItem({ item: chai });
    expect(created).toMatchObject({
      name: "items/chai",
      title: "Chai",
      stockOnHand: 39n,
      stockReserved: 0n,
      stockAvailable: 39n,
    });
    expect(created.prices[0]).toMatchObject(eur(18n));
    expect(await it.inventory.getItem({ name: "items/chai" })).toEqual(created);
    const { movements } = await it.inventory.listStockMovements({ parent: "items/chai" });
    expect(movements.map(({ onHandDelta, stockOnHand, actor }) => [onHandDelta, stockOnHand, actor])).toEqual([
      [39n, 39n, "service:test"],
    ]);
  });

  test("a second item with the same SKU is refused, unless the request is a repetition", async () => {
    await using it = await startInventory(open);
    const first = await it.inventory.createItem({ item: chai, requestId: "k1" });
    expect(await it.inventory.createItem({ item: chai, requestId: "k1" })).toEqual(first);
    expect(await refusal(it.inventory.createItem({ item: chai }))).toMatchObject({
      code: "AlreadyExists",
      reason: "ITEM_EXISTS",
      metadata: { sku: "chai" },
    });
    expect(await refusal(it.inventory.createItem({ item: { ...chai, sku: "chang" }, requestId: "k1" }))).toMatchObject({
      code: "AlreadyExists",
      reason: "IDEMPOTENCY_KEY_REUSED",
    });
  });

  test("tenants do not see each other's items", async () => {
    await using it = await startInventory(open);
    await it.inventory.createItem({ item: chai });
    const other = it.clientOf("tenant-b");
    expect(await refusal(other.getItem({ name: "items/chai" }))).toMatchObject({ code: "NotFound" });
    expect((await other.listItems({})).items).toEqual([]);
    await other.createItem({ item: { ...chai, title: "Other" } });
    expect((await it.inventory.getItem({ name: "items/chai" })).title).toBe("Chai");
  });

  test("an update changes only the fields in its mask, and a stale etag is refused", async () => {
    await using it = await startInventory(open);
    const created = await it.inventory.createItem({ item: chai });
    const update = { name: "items/chai", title: "Chai tea", prices: [eur(20n)], etag: created.etag };
    const updated = await it.inventory.updateItem({ item: update, updateMask: { paths: ["title"] } });
    expect(updated).toMatchObject({ title: "Chai tea", stockOnHand: 39n });
    expect(updated.prices[0]).toMatchObject(eur(18n));
    expect(await refusal(it.inventory.updateItem({ item: update }))).toMatchObject({ code: "Aborted" });
    const priced = await it.inventory.updateItem({ item: { ...update, etag: updated.etag }, requestId: "u1" });
    expect(priced.prices[0]).toMatchObject(eur(20n));
    expect(await it.inventory.updateItem({ item: { ...update, etag: updated.etag }, requestId: "u1" })).toEqual(priced);
  });

  test("an update without changes keeps the etag", async () => {
    await using it = await startInventory(open);
    const created = await it.inventory.createItem({ item: chai });
    const updated = await it.inventory.updateItem({ item: { name: "items/chai", title: "Chai" } });
    expect(updated.etag).toBe(created.etag);
  });

  test("stock and names cannot be updated, and every violation is reported", async () => {
    await using it = await startInventory(open);
    const request = { item: { name: "items/" }, updateMask: { paths: ["stock_on_hand", "sku"] } };
    const { code, violations } = await refusal(it.inventory.updateItem(request));
    expect(code).toBe("InvalidArgument");
    expect(violations?.length).toBe(2);
    const second = await refusal(
      it.inventory.updateItem({ item: { name: "items/" }, updateMask: { paths: ["title"] } }),
    );
    expect(second.violations).toEqual([
      "item.name: must be an item's name, items/{sku}",
      "item.title: must have 1 to 255 characters",
    ]);
  });

  test("items are listed by filter, order and page", async () => {
    await using it = await startInventory(open);
    const items = ["d", "a", "c", "b", "e"].map((sku, i) => ({ sku, title: `T${i % 2}`, stockOnHand: BigInt(i) }));
    await it.inventory.batchUpsertItems({ items });
    const pages = async (request: { filter?: string; orderBy?: string }) => {
      const found: string[] = [];
      let pageToken = "";
      do {
        const page = await it.inventory.listItems({ ...request, pageSize: 2, pageToken });
        found.push(...page.items.map(({ sku }) => sku));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      return found.join("");
    };
    expect(await pages({})).toBe("abcde");
    expect(await pages({ orderBy: "sku desc" })).toBe("edcba");
    expect(await pages({ orderBy: "title, sku desc" })).toBe("edcba".replace(/[ab]/g, "").concat("ba"));
    expect(await pages({ orderBy: "create_time desc" })).toBe("edcba");
    expect(await pages({ filter: "stock_available > 1" })).toBe("bce");
    expect(await pages({ filter: 'title = "T0" AND NOT sku = "d"' })).toBe("ce");
    const first = await it.inventory.listItems({ pageSize: 2 });
    const mixed = it.inventory.listItems({ pageSize: 2, orderBy: "title", pageToken: first.nextPageToken });
    expect(await refusal(mixed)).toMatchObject({ code: "InvalidArgument", reason: "INVALID_PAGE_TOKEN" });
    expect(await refusal(it.inventory.listItems({ filter: "colour = red" }))).toMatchObject({
      reason: "INVALID_FILTER",
    });
  });

  test("up to a thousand items are returned by SKU in the requested order", async () => {
    await using it = await startInventory(open);
    await it.inventory.batchUpsertItems({ items: [chai, { sku: "chang", title: "Chang" }] });
    const { items } = await it.inventory.batchGetItems({ skus: ["chang", "none", "chai", "chang"] });
    expect(items.map(({ sku }) => sku)).toEqual(["chang", "chai"]);
  });

  test("a batch creates new items, updates existing ones, and does not change their stock", async () => {
    await using it = await startInventory(open);
    await it.inventory.createItem({ item: chai });
    const items = [
      { sku: "chang", title: "Chang", stockOnHand: 17n },
      { ...chai, title: "Chai tea", stockOnHand: 1000n },
    ];
    const response = await it.inventory.batchUpsertItems({ items, requestId: "b1" });
    expect(response.items.map(({ sku, title, stockOnHand }) => [sku, title, stockOnHand])).toEqual([
      ["chang", "Chang", 17n],
      ["chai", "Chai tea", 39n],
    ]);
    expect(await it.inventory.batchUpsertItems({ items, requestId: "b1" })).toEqual(response);
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  });

  test("a batch with one invalid item has no effect", async () => {
    await using it = await startInventory(open);
    const items = [chai, { sku: "chang", title: "Chang", prices: [eur(-1n)] }, chai];
    const { violations } = await refusal(it.inventory.batchUpsertItems({ items }));
    expect(violations).toEqual([
      "items[1].prices[0]: must not be negative",
      "items[2].sku: is the same as that of items[0]",
    ]);
    expect((await it.inventory.listItems({})).items).toEqual([]);
    await it.inventory.createItem({ item: chai });
    const stale = [
      { sku: "new", title: "New" },
      { ...chai, title: "x", etag: '"stale"' },
    ];
    expect(await refusal(it.inventory.batchUpsertItems({ items: stale }))).toMatchObject({ code: "Aborted" });
    expect((await it.inventory.listItems({})).items.map(({ sku, title }) => [sku, title])).toEqual([["chai", "Chai"]]);
  });

  test("stock is adjusted once per key, never below the reserved stock and never above the maximum", async () => {
    await using it = await startInventory(open);
    await it.inventory.createItem({ item: { ...chai, stockOnHand: 10n } });
    const adjust = { name: "items/chai", delta: -3n, reason: "broken", requestId: "a1" };
    expect((await it.inventory.adjustStock(adjust)).stockOnHand).toBe(7n);
    expect((await it.inventory.adjustStock(adjust)).stockOnHand).toBe(7n);
    const items = [{ sku: "chai", quantity: 5n }];
    await it.inventory.reserveStock({ name: "reservations/r1", order: "orders/o1", items, ttl: longTtl });
    expect(await refusal(it.inventory.adjustStock({ name: "items/chai", delta: -3n }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "STOCK_RESERVED",
      metadata: { sku: "chai", wanted: "3", available: "2" },
    });
    expect(
      await refusal(it.inventory.adjustStock({ name: "items/chai", delta: 1_000_000_000_000n - 6n })),
    ).toMatchObject({ code: "FailedPrecondition", reason: "STOCK_LIMIT" });
    expect(await refusal(it.inventory.adjustStock({ name: "items/none", delta: 1n }))).toMatchObject({
      code: "NotFound",
    });
    const { movements } = await it.inventory.listStockMovements({ parent: "items/chai", pageSize: 2 });
    expect(movements.map(({ onHandDelta, reservedDelta, reason }) => [onHandDelta, reservedDelta, reason])).toEqual([
      [0n, 5n, ""],
      [-3n, 0n, "broken"],
    ]);
    expect(await auditBooks(it.db.kysely)).toEqual([]);
  });
});
