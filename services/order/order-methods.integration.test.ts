import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { Saga_State } from "../../gen/docket/operations/v1/operations_pb.js";
import { type Order, Order_State, OrderSchema, PaymentState } from "../../gen/docket/order/v1/order_pb.js";
import { ExportFormat, type ImportOrdersResponse } from "../../gen/docket/order/v1/order_service_pb.js";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { until } from "../runtime/testing/until.ts";
import { eur } from "./testing/eur.ts";
import { anOrder, type RunningOrders, startOrders } from "./testing/running-orders.ts";

const wait = { seconds: 10n };

async function reasonOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => ConnectError.from(reason),
  );
  return error === undefined ? "OK" : `${Code[error.code]} ${error.findDetails(ErrorInfoSchema)[0]?.reason}`;
}

const text = (chunks: readonly { data: Uint8Array }[]) =>
  Buffer.concat(chunks.map(({ data }) => data)).toString("utf8");

async function exported(world: RunningOrders, format: ExportFormat, filter = ""): Promise<string> {
  return text(await Array.fromAsync(world.orders.exportOrders({ format, filter })));
}

/** Sends a file in pieces of this many bytes, so that lines and characters are cut anywhere. */
function imported(
  client: RunningOrders["pricing"],
  contentType: string,
  file: string,
  { validateOnly = false, size = 7 } = {},
): Promise<ImportOrdersResponse> {
  const bytes = Buffer.from(file);
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += size) {
      yield { file: { contentType, data: bytes.subarray(at, at + size) }, validateOnly };
    }
  }
  return client.importOrders(pieces());
}

/** An order's fields other than its creation time and origin. */
function content(order: Order) {
  const { name, createTime, updateTime, paymentDeadline, etag, state, paymentAction, ...rest } = order;
  return rest;
}

describeEachDatabase("the order service", (open) => {
  const start = async (config: Parameters<typeof startOrders>[1] = {}) => {
    const { url } = await open<unknown>();
    return startOrders(url, config);
  };

  test("lists by filter, order and page, each order once", async () => {
    await using world = await start();
    world.inventory.put("PIE", 100);
    for (let i = 1; i <= 12; i++) {
      await world.place({
        externalId: `E-${String(i).padStart(2, "0")}`,
        customer: { id: i % 3 === 0 ? "c3" : "c1" },
        labels: i % 2 === 0 ? { channel: "web", "a.b": "x y" } : {},
        lineItems: [{ sku: i % 4 === 0 ? "PIE" : "TEA", quantity: i }],
      });
    }
    const ids = async (filter: string, orderBy = "external_id") =>
      (await world.orders.listOrders({ filter, orderBy })).orders.map(({ externalId }) => externalId.slice(2));
    expect(await ids('customer.id = "c3"')).toEqual(["03", "06", "09", "12"]);
    expect(await ids("sku = PIE AND labels.channel = web")).toEqual(["04", "08", "12"]);
    expect(await ids('labels."a.b" = "x y" AND NOT sku = PIE')).toEqual(["02", "06", "10"]);
    expect(await ids("external_id = E-01 OR external_id = E-11")).toEqual(["01", "11"]);
    expect(await ids('create_time < "2000-01-01T00:00:00Z"')).toEqual([]);
    expect(await ids("sku = PIE", "total desc, external_id")).toEqual(["12", "08", "04"]);
    expect(await ids("state = CANCELLED")).toEqual([]);
    expect(await reasonOf(world.orders.listOrders({ filter: "colour = red" }))).toBe("InvalidArgument INVALID_FILTER");
    expect(await reasonOf(world.orders.listOrders({ orderBy: "note" }))).toMatch(/^InvalidArgument/);

    // An order that changes between two pages moves in a list by update_time, so wait until all are settled.
    await until(async () => (await ids("state = AWAITING_PAYMENT")).length === 12);
    for (const orderBy of ["", "create_time", "total desc", "external_id desc", "update_time"]) {
      const seen: string[] = [];
      let pageToken = "";
      do {
        const page = await world.orders.listOrders({ pageSize: 5, pageToken, orderBy });
        seen.push(...page.orders.map(({ name }) => name));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      expect(new Set(seen).size).toBe(12);
      expect(seen).toHaveLength(12);
    }
    const { nextPageToken } = await world.orders.listOrders({ pageSize: 5 });
    expect(await reasonOf(world.orders.listOrders({ pageToken: nextPageToken, filter: "sku = TEA" }))).toBe(
      "InvalidArgument INVALID_PAGE_TOKEN",
    );
  });

  test("updates only mutable fields", async () => {
    await using world = await start();
    const order = await world.confirmed({ labels: { channel: "web", gift: "no" }, fulfillment: 2 });
    const { name } = order;
    const update = (change: Parameters<typeof create<typeof OrderSchema>>[1], paths?: string[], etag = "") =>
      world.orders.updateOrder({
        order: { ...create(OrderSchema, change), name, etag },
        ...(paths && { updateMask: { paths } }),
      });
    const noted = await update({ note: "ring twice" }, undefined, order.etag);
    expect(noted).toMatchObject({ note: "ring twice", labels: { channel: "web", gift: "no" } });
    expect(await reasonOf(update({ note: "late" }, ["note"], order.etag))).toBe("Aborted ETAG_MISMATCH");
    expect((await update({ labels: { gift: "yes" } }, ["labels.gift"])).labels).toEqual({
      channel: "web",
      gift: "yes",
    });
    expect((await update({}, ["labels"])).labels).toEqual({});
    expect(
      (await update({ customer: { id: "x", email: "b@example.com" } }, ["customer.email"])).customer,
    ).toMatchObject({
      id: "c1",
      email: "b@example.com",
    });
    expect(await reasonOf(update({ customer: { email: "nobody" } }, ["customer.email"]))).toMatch(/^InvalidArgument/);
    expect(await reasonOf(update({}, ["customer"]))).toMatch(/^InvalidArgument/);
    expect(await reasonOf(update({ currencyCode: "USD" }, ["currency_code"]))).toMatch(/^InvalidArgument/);

    const whole = await world.orders.getOrder({ name });
    const paths = OrderSchema.fields.map((field) => field.name).filter((field) => field !== "payment_token");
    const unchanged = await world.orders.updateOrder({ order: whole, updateMask: { paths } });
    expect(unchanged).toEqual(whole);

    await world.logistics.created("t1", `${name}/shipments/1`, { "1": 2 });
    await world.reaches(name, "FULFILLING");
    expect(await reasonOf(update({ shippingAddress: { locality: "Leeds" } }, ["shipping_address.locality"]))).toBe(
      "FailedPrecondition SHIPMENT_EXISTS",
    );
    expect((await update({ note: "still" }, ["note"])).note).toBe("still");
    await world.timeline(name);
  });

  test("creates a batch, all or none", async () => {
    await using world = await start();
    const good = { order: anOrder({ externalId: "B-1" }) };
    const bad = { order: anOrder({ lineItems: [{ sku: "NO", quantity: 1 }] }) };
    expect(await reasonOf(world.orders.batchCreateOrders({ requests: [good, bad] }))).toBe(
      "InvalidArgument INVALID_FIELD",
    );
    expect(await reasonOf(world.orders.batchCreateOrders({ requests: [good, good] }))).toMatch(/^InvalidArgument/);
    expect((await world.orders.listOrders({})).orders).toEqual([]);
    const requests = Array.from({ length: 30 }, (_, i) => ({ order: anOrder({ externalId: `B-${i}` }) }));
    const { orders } = await world.orders.batchCreateOrders({ requests, requestId: "b1" });
    expect(orders.map(({ externalId }) => externalId)).toEqual(requests.map(({ order }) => order.externalId));
    const again = await world.orders.batchCreateOrders({ requests, requestId: "b1" });
    expect(again.orders).toEqual(orders);
    const { orders: read } = await world.orders.batchGetOrders({ names: orders.map(({ name }) => name).toReversed() });
    expect(read.map(({ name }) => name)).toEqual(orders.map(({ name }) => name).toReversed());
    await world.reaches(orders[29]?.name ?? "", "AWAITING_PAYMENT");
  });

  test("streams every change once, and resumes from a token without a gap", async () => {
    await using world = await start();
    const leave = new AbortController();
    const first: { name: string; sequence: bigint; token: string }[] = [];
    const began = Promise.withResolvers<string>();
    const watching = (async () => {
      for await (const { event, order, resumeToken } of world.orders.watchOrders({}, { signal: leave.signal })) {
        if (event) first.push({ name: order?.name ?? "", sequence: event.sequence, token: resumeToken });
        else began.resolve(resumeToken);
      }
    })().catch(() => {});
    const beginning = await began.promise;
    const { name } = await world.place({}, { wait });
    await until(() => first.length === 3);
    leave.abort();
    await watching;
    expect(first.map((it) => [it.name, it.sequence])).toEqual([1n, 2n, 3n].map((sequence) => [name, sequence]));

    await world.payment.capture(`${name}/payments/1`, 900);
    await world.reaches(name, "CONFIRMED");
    await world.place({ note: "another" }, { wait });
    const seen: string[] = [];
    const resumeToken = first[0]?.token ?? "";
    const resumed = (async () => {
      for await (const { event } of world.orders.watchOrders({ resumeToken, filter: "state = CONFIRMED" })) {
        if (event) seen.push(event.type);
      }
    })();
    await until(() => seen.length === 4);
    // Resuming from the stream's first token must miss nothing.
    const all: bigint[] = [];
    for await (const { event, order } of world.orders.watchOrders({ resumeToken: beginning })) {
      if (order?.name === name && event) all.push(event.sequence);
      if (all.length === 5) break;
    }
    expect(all).toEqual([1n, 2n, 3n, 4n, 5n]);
    expect(seen).toEqual(["StockReserved", "PaymentOpened", "PaymentCaptured", "OrderConfirmed"]);
    world.service.endStreams?.();
    expect(await reasonOf(resumed)).toBe("Unavailable SHUTTING_DOWN");
    expect(await reasonOf(Array.fromAsync(world.orders.watchOrders({ resumeToken: "x" })))).toBe(
      "InvalidArgument INVALID_RESUME_TOKEN",
    );
  });

  test.each([
    ["CSV", ExportFormat.CSV, "text/csv"],
    ["NDJSON", ExportFormat.NDJSON, "application/x-ndjson"],
  ] as const)("exports as %s what imports to equal orders", async (_, format, contentType) => {
    await using world = await start();
    world.inventory.put("PIE", 100);
    for (let i = 0; i < 5; i++) {
      await world.pricing.createOrder({
        order: anOrder({
          externalId: `X-${i}`,
          labels: { channel: 'we"b, ö', n: String(i) },
          note: "two\nlines, “quoted”",
          customer: { id: "c1", phone: "+44 1", displayName: "Zoë" },
          shippingAddress: {
            recipient: "Zoë",
            addressLines: ["1 Mill Lane", "Flat 2"],
            locality: "Y",
            regionCode: "GB",
          },
          shippingFee: eur(495),
          capture: 2,
          lineItems: [
            { sku: "TEA", quantity: 3, unitPrice: eur(333), discountRate: "0.15" },
            { sku: "PIE", quantity: 1, discount: eur(10) },
          ],
        }),
      });
    }
    const { orders } = await world.orders.listOrders({ orderBy: "external_id" });
    const file = await exported(world, format);

    await using other = await start();
    other.inventory.put("PIE", 100);
    const checked = await imported(other.pricing, contentType, file, { validateOnly: true });
    expect(checked).toMatchObject({ createdCount: 5n, failedCount: 0n, failures: [] });
    expect((await other.orders.listOrders({})).orders).toEqual([]);
    const result = await imported(other.pricing, contentType, file);
    expect(result).toMatchObject({ createdCount: 5n, existingCount: 0n, failedCount: 0n });
    const { orders: copies } = await other.orders.listOrders({ orderBy: "external_id" });
    expect(copies.map(content)).toEqual(orders.map(content));
    expect(await imported(other.pricing, contentType, file, { size: 100_000 })).toMatchObject({
      createdCount: 0n,
      existingCount: 5n,
    });
  });

  test("reports line and field of every invalid row and imports the others", async () => {
    await using world = await start();
    const head =
      "external_id,currency_code,customer_id,recipient,address_lines,locality,region_code,sku,quantity,unit_price,customer_email";
    const row = (id: string, sku: string, quantity: string, price = "", email = "") =>
      `${id},EUR,c1,Ada,1 Mill Lane,London,GB,${sku},${quantity},${price},${email}`;
    const file = [
      head,
      row("I-1", "TEA", "1"),
      row("I-1", "TEA", "2"),
      row("I-2", "NO", "1"),
      row("I-3", "TEA", "many"),
      "",
      row("I-4", "TEA", "1", "9.99"),
      row("I-5", "TEA", "1", "", "nobody"),
      `${row("I-6", "TEA", "1")},too,many`,
      row("I-7", "TEA", "0"),
      row("I-8", "TEA", "1"),
      row("I-1", "TEA", "3"),
      row("I-9", "TEA", "1"),
      row("I-9", "GONE", "1"),
    ].join("\r\n");
    const result = await imported(world.orders as RunningOrders["pricing"], "text/csv; charset=utf-8", file);
    expect(result).toMatchObject({ rowCount: 12n, createdCount: 2n, failedCount: 8n, existingCount: 0n });
    expect(result.failures.map((it) => `${it.lineNumber} ${it.field} ${it.externalId}`).sort()).toEqual(
      [
        "4 sku I-2",
        "5 quantity I-3",
        "7 unit_price I-4",
        "8 customer_email I-5",
        "9  I-6",
        "10 quantity I-7",
        "12 external_id I-1",
        "14 sku I-9",
      ].sort(),
    );
    const { lineItems } = await world.orders.lookupOrder({ externalId: "I-1" });
    expect(lineItems.map(({ quantity }) => quantity)).toEqual([1, 2]);

    const ndjson = [
      '{"nonsense": 1}',
      "",
      "{",
      '{"currencyCode":"EUR","lineItems":[{"sku":"TEA","quantity":"x"}]}',
    ].join("\n");
    const other = await imported(world.pricing, "application/x-ndjson", ndjson);
    expect(other).toMatchObject({ rowCount: 3n, failedCount: 3n });
    expect(other.failures.map((it) => `${it.lineNumber} ${it.field}`)).toEqual(["1 ", "3 ", "4 quantity"]);
    expect(await reasonOf(imported(world.pricing, "text/csv", "external_id,colour\n"))).toMatch(/^InvalidArgument/);
    expect(await reasonOf(imported(world.pricing, "application/pdf", "x"))).toMatch(/^InvalidArgument/);
  });

  test("counts orders and gross and net revenue", async () => {
    await using world = await start();
    await world.confirmed();
    const { name } = await world.confirmed();
    await world.place({}, { wait });
    const { states, days, orderCount, revenue, refunded } = await world.orders.getOrderStatistics({});
    expect(orderCount).toBe(3n);
    expect([revenue, refunded]).toEqual([[eur(1800)], [eur(0)]]);
    expect(states).toMatchObject([
      { state: Order_State.AWAITING_PAYMENT, orderCount: 1n, totals: [eur(900)] },
      { state: Order_State.CONFIRMED, orderCount: 2n, totals: [eur(1800)] },
    ]);
    expect(days).toMatchObject([{ orderCount: 3n, revenue: [eur(1800)] }]);
    await world.payment.refund(`${name}/payments/1`, 300);
    await until(async () => (await world.orders.getOrder({ name })).paymentState === PaymentState.PARTIALLY_REFUNDED);
    const entry = (await world.timeline(name)).find(({ type }) => type === "PaymentRefunded");
    expect(entry?.metadata).toMatchObject({ payment: `${name}/payments/1`, refund: "r1", amount: "3.00 EUR" });
    const later = await world.orders.getOrderStatistics({});
    expect(later).toMatchObject({ revenue: [eur(1800)], refunded: [eur(300)], netRevenue: [eur(1500)] });
    expect(later.days).toMatchObject([{ revenue: [eur(1800)], refunded: [eur(300)], netRevenue: [eur(1500)] }]);
    const none = await world.orders.getOrderStatistics({ endTime: { seconds: 1n } });
    expect(none).toMatchObject({ orderCount: 0n, states: [], days: [], revenue: [] });
  });

  test("lets operators view and control sagas", async () => {
    await using world = await start();
    const { name } = await world.place({}, { wait });
    const [saga] = (await world.sagas.listSagas({ filter: `aggregate = "${name}"` })).sagas;
    expect(saga).toMatchObject({ definition: "place-order", definitionVersion: 1, aggregate: name });
    const sagaName = saga?.name ?? "";
    await until(async () => (await world.sagas.getSaga({ name: sagaName })).state === Saga_State.WAITING);
    expect(await reasonOf(world.sagas.retrySaga({ name: sagaName }))).toBe("FailedPrecondition SAGA_STATE");
    expect((await world.sagas.pauseSaga({ name: sagaName })).state).toBe(Saga_State.PAUSED);
    expect((await world.sagas.resumeSaga({ name: sagaName })).state).toBe(Saga_State.WAITING);
    await world.sagas.compensateSaga({ name: sagaName });
    await world.reaches(name, "CANCELLED");
    expect((await world.sagas.getSaga({ name: sagaName })).state).toBe(Saga_State.COMPENSATED);
    expect(await reasonOf(world.sagas.getSaga({ name: "sagas/none" }))).toBe("NotFound RESOURCE_NOT_FOUND");
  });

  test("rejects the same commands from operators as from others: compensating shipped or ended orders, resuming held ones", async () => {
    await using world = await start();
    const sagaOf = async (name: string) => (await world.sagaOf(name)).name;
    const states = async (name: string) => {
      const { state, cancelReason } = await world.orders.getOrder({ name });
      return { order: Order_State[state], cancelReason, saga: Saga_State[(await world.sagaOf(name)).state] };
    };

    const shipped = await world.confirmed({ fulfillment: 2 });
    await world.logistics.created("t1", `${shipped.name}/shipments/1`, { "1": 2 });
    await world.reaches(shipped.name, "FULFILLING");
    world.logistics.control.underWay = true;
    expect(await reasonOf(world.sagas.compensateSaga({ name: await sagaOf(shipped.name) }))).toBe(
      "FailedPrecondition SHIPMENT_UNDER_WAY",
    );
    expect(await states(shipped.name)).toEqual({ order: "FULFILLING", cancelReason: 0, saga: "SUCCEEDED" });

    await world.logistics.delivered("t1", `${shipped.name}/shipments/1`);
    await world.reaches(shipped.name, "COMPLETED");
    for (const command of ["compensateSaga", "retrySaga", "pauseSaga", "resumeSaga"] as const) {
      const reason = command === "compensateSaga" ? "ORDER_STATE" : "SAGA_STATE";
      expect(await reasonOf(world.sagas[command]({ name: await sagaOf(shipped.name) }))).toBe(
        `FailedPrecondition ${reason}`,
      );
    }
    expect(await states(shipped.name)).toEqual({ order: "COMPLETED", cancelReason: 0, saga: "SUCCEEDED" });

    const { name: held } = await world.place({}, { wait });
    await world.orders.holdOrder({ name: held });
    expect(await reasonOf(world.sagas.resumeSaga({ name: await sagaOf(held) }))).toBe("FailedPrecondition ORDER_STATE");
    expect(await states(held)).toMatchObject({ order: "ON_HOLD", saga: "PAUSED" });
    world.logistics.control.underWay = false;
    await world.sagas.compensateSaga({ name: await sagaOf(held) });
    await world.reaches(held, "CANCELLED");
    await world.sagas.compensateSaga({ name: await sagaOf(held) });
    expect(await states(held)).toMatchObject({ order: "CANCELLED", saga: "COMPENSATED" });
  });

  test("does not compensate a saga that its order has superseded", async () => {
    await using world = await start({ paymentDeadlineMs: 200 });
    const { name } = await world.place({}, { wait });
    await world.reaches(name, "EXPIRED");
    world.inventory.stock.set("TEA", 0n);
    await world.payment.capture(`${name}/payments/1`, 300);
    await until(async () => (await world.sagaOf(name)).definition === "late-payment");
    await world.succeeds(name);
    const late = await world.sagaOf(name);
    expect(await reasonOf(world.sagas.compensateSaga({ name: late.name }))).toBe("FailedPrecondition SAGA_STATE");
  });

  test("lets another process take over", async () => {
    const { url } = await open<unknown>();
    const names: string[] = [];
    await using first = await startOrders(url, { paymentDeadlineMs: 500 });
    for (let i = 0; i < 20; i++) {
      names.push((await first.place()).name);
    }
    await first.service[Symbol.asyncDispose]();
    await using second = await startOrders(url);
    for (const name of names) {
      await second.reaches(name, "EXPIRED");
      await second.timeline(name);
    }
  });
});
