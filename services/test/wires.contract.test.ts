import type { JsonValue } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { InventoryService } from "../../gen/docket/inventory/v1/inventory_service_pb.js";
import { LogisticsService } from "../../gen/docket/logistics/v1/logistics_service_pb.js";
import { Automation, Order_State } from "../../gen/docket/order/v1/order_pb.js";
import { OrderService } from "../../gen/docket/order/v1/order_service_pb.js";
import { PaymentService } from "../../gen/docket/payment/v1/payment_service_pb.js";
import { money } from "../../web-client/sdk/money.ts";
import { startProcesses } from "./support/processes.ts";
import { untilState } from "./support/shop.ts";
import { createFolder, startDocket, type TestDocket, tenantsOf } from "./support/start-docket.ts";
import { allWires, type Outcome, type Wire } from "./support/wires.ts";

const { createItem, adjustStock, listItems } = InventoryService.method;
const { createOrder, getOrder, lookupOrder, updateOrder, listOrders, listOrderEvents, cancelOrder, releaseOrder } =
  OrderService.method;
const { listPayments, refundPayment } = PaymentService.method;
const { createShipment, getShipment, listShipments } = LogisticsService.method;

/** A valid order of two units, whose payment succeeds, without automatic shipping. */
const anOrder = {
  externalId: "A-1",
  currencyCode: "EUR",
  customer: { id: "c1", displayName: "Ada", email: "ada@example.com" },
  shippingAddress: { recipient: "Ada", addressLines: ["1 Main St"], locality: "Berlin", regionCode: "DE" },
  lineItems: [
    { sku: "TEA", quantity: 2 },
    { sku: "POT", quantity: 1, discountRate: "0.15" },
  ],
  shippingFee: money("EUR", "4.99"),
  paymentToken: "tok_success",
  fulfillment: Automation.MANUAL,
  labels: { channel: "web" },
};
const wait = durationFromMs(20_000);

/** What differs from run to run, made alike: ids by the order in which they appear, times, and what is drawn at random. */
function normalized(outcomes: readonly Outcome[]): JsonValue {
  const ids = new Map<string, string>();
  const text = comparable(outcomes)
    .replace(/[0-9a-hjkmnp-tv-z]{26}/g, (id) => {
      const known = ids.get(id) ?? `<id ${ids.size + 1}>`;
      ids.set(id, known);
      return known;
    })
    .replace(/SBX[0-9A-Z]{26}/g, "<tracking number>")
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "<time>");
  return JSON.parse(text) as JsonValue;
}

/**
 * As text, without the INPUT_ONLY field of orders, which REST leaves out and the other wires have empty, and with the fields
 * of violations under their names on REST.
 */
function comparable(outcome: Outcome | readonly Outcome[]): string {
  return JSON.stringify(outcome)
    .replaceAll(',"paymentToken":""', "")
    .replace(/"(field|message)":"(?:[^"\\]|\\.)*"/g, (member) =>
      member.replace(/\border\./g, "").replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase()),
    );
}

/** Where a Docket is served, and how to get a tenant of one's own there. */
interface Served extends AsyncDisposable, Pick<TestDocket, "tenant"> {
  readonly running: { readonly httpUrl: string; readonly grpcAddress: string };
}

async function startBehindGateway(): Promise<Served> {
  await using stack = new AsyncDisposableStack();
  const storage = stack.use(await createFolder());
  const { gateway } = stack.use(await startProcesses(storage));
  const started = stack.move();
  return {
    running: gateway,
    tenant: tenantsOf(gateway.docket, gateway.httpUrl),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

const shapes: [string, () => Promise<Served>][] = [
  ["one process", startDocket],
  ["one process on a single port", () => startDocket({ DOCKET_SINGLE_PORT: "true" })],
  ["a gateway in front of five processes", startBehindGateway],
];

describe.each(shapes)("the four wires of %s", (_, start) => {
  let docket: Served;
  let wires: Wire[];

  beforeAll(async () => {
    docket = await start();
    wires = allWires(docket.running.httpUrl, docket.running.grpcAddress);
    // Six processes take long to start on a busy machine.
  }, 300_000);
  afterAll(async () => {
    for (const wire of wires ?? []) wire[Symbol.dispose]();
    await docket?.[Symbol.asyncDispose]();
  });

  /** Runs a script on each wire, in a tenant of its own with two items, and answers what each said. */
  async function onEach(name: string, script: (call: Call) => Promise<Outcome[]>): Promise<[string, JsonValue][]> {
    const results: [string, JsonValue][] = [];
    for (const [index, wire] of wires.entries()) {
      const { key, docket: owner } = await docket.tenant(`${name}-${index}`);
      await owner.items.batchUpsertItems({
        items: [
          { sku: "TEA", title: "Green tea", prices: [money("EUR", "4.50")], stockOnHand: 100n },
          { sku: "POT", title: "Tea pot", prices: [money("EUR", "19.99")], stockOnHand: 3n },
        ],
      });
      const outcomes = await script((method, request, ownKey = key) => wire.call(method, request, ownKey));
      results.push([wire.name, normalized(outcomes)]);
    }
    return results;
  }

  function expectAllAlike(results: [string, JsonValue][]) {
    const [[, first] = ["", null], ...others] = results;
    for (const [name, result] of others) {
      expect([name, result]).toEqual([name, first]);
    }
    return first;
  }

  test("answer one scripted order alike, field for field", async () => {
    const results = await onEach("script", async (call) => {
      const created = await call(createOrder, { order: anOrder, wait, requestId: "one" });
      const name = nameOf(created);
      await until(call, getOrder, { name }, ({ state }) => state === "CONFIRMED");
      const payment = nameOf(await call(listPayments, { parent: name }), "payments");
      const script = [
        await call(createItem, { item: { sku: "CUP", title: "Cup", prices: [money("EUR", "3")] }, requestId: "cup" }),
        await call(adjustStock, { name: "items/CUP", delta: 5n, reason: "found some" }),
        await call(getOrder, { name }),
        await call(lookupOrder, { externalId: "A-1" }),
        await call(updateOrder, { order: { name, note: "ring twice" }, updateMask: { paths: ["note"] } }),
        await call(listOrders, {
          filter: 'customer.id = "c1" AND labels.channel = "web"',
          orderBy: "total desc",
          pageSize: 5,
        }),
        await call(refundPayment, {
          name: payment,
          amount: money("EUR", "1.50"),
          reason: "scratched",
          requestId: "r1",
        }),
        await call(createShipment, {
          parent: name,
          shipment: { carrier: "sandbox", carrierService: "stay", lines: [{ lineItemId: "1", quantity: 1 }] },
          shipmentId: "first",
        }),
      ];
      const isBooked = ({ trackingNumber }: Record<string, unknown>) => trackingNumber !== "";
      await until(call, getShipment, { name: `${name}/shipments/first` }, isBooked);
      return [...script, await call(listShipments, { parent: name }), await call(listItems, { orderBy: "sku desc" })];
    });
    const first = expectAllAlike(results) as { ok?: unknown }[];
    expect(first.filter((outcome) => outcome.ok === undefined)).toEqual([]);
  }, 60_000);

  test("answer the same request under one key with the same order", async () => {
    const { key, docket: owner } = await docket.tenant("same-key");
    await owner.items.createItem({
      item: { sku: "TEA", title: "Tea", prices: [money("EUR", "4.50")], stockOnHand: 9n },
    });
    const order = { ...anOrder, lineItems: [{ sku: "TEA", quantity: 1 }] };
    const outcomes = await Promise.all(wires.map((wire) => wire.call(createOrder, { order, requestId: "k" }, key)));
    expect(new Set(outcomes.map((outcome) => comparable(outcome))).size).toBe(1);
    expect(outcomes[0]).toHaveProperty("ok.state", "PLACING");
  });

  /** The kinds of bad input of the API's table: what to send, and the code and reason that must come back. */
  const refusals: [string, number, string, (call: Call) => Promise<Outcome>][] = [
    ["a missing field", 3, "INVALID_FIELD", (call) => call(createOrder, { order: { currencyCode: "EUR" } })],
    [
      "several bad fields at once",
      3,
      "INVALID_FIELD",
      (call) =>
        call(createOrder, { order: { ...anOrder, currencyCode: "euro", lineItems: [{ sku: "", quantity: -1 }] } }),
    ],
    [
      "a text with NUL",
      3,
      "INVALID_FIELD",
      (call) => call(createOrder, { order: { ...anOrder, note: "a\u0000b", labels: { channel: "\u0000" } } }),
    ],
    [
      "line breaks in texts of one line",
      3,
      "INVALID_FIELD",
      (call) =>
        call(createOrder, {
          order: { ...anOrder, note: "a\nb", customer: { id: "c1", displayName: "a\nb" }, labels: { channel: "a\tb" } },
        }),
    ],
    [
      "an enum value that does not exist",
      3,
      "INVALID_FIELD",
      (call) => call(createOrder, { order: { ...anOrder, capture: 99 as Automation } }),
    ],
    [
      "a SKU that does not exist",
      3,
      "*",
      (call) => call(createOrder, { order: { ...anOrder, lineItems: [{ sku: "NOPE", quantity: 1 }] } }),
    ],
    ["a filter that cannot be read", 3, "*", (call) => call(listOrders, { filter: "state = = 3" })],
    ["a page token of another list", 3, "*", (call) => call(listOrders, { pageToken: "AAAA" })],
    ["an order that does not exist", 5, "RESOURCE_NOT_FOUND", (call) => call(getOrder, { name: "orders/none" })],
    [
      "one key for two requests",
      6,
      "IDEMPOTENCY_KEY_REUSED",
      async (call) => {
        await call(createOrder, { order: anOrder, requestId: "twice" });
        return call(createOrder, { order: { ...anOrder, note: "another" }, requestId: "twice" });
      },
    ],
    [
      "too little stock",
      9,
      "OUT_OF_STOCK",
      (call) => call(createOrder, { order: { ...anOrder, lineItems: [{ sku: "POT", quantity: 4 }] }, wait }),
    ],
    ["the wrong state", 9, "*", async (call) => call(releaseOrder, { name: await confirmedOrder(call) })],
    [
      "a stale etag",
      10,
      "ETAG_MISMATCH",
      async (call) => {
        const name = await confirmedOrder(call);
        return call(updateOrder, { order: { name, note: "late", etag: '"0"' }, updateMask: { paths: ["note"] } });
      },
    ],
    ["no key", 16, "UNAUTHENTICATED", (call) => call(listOrders, {}, "")],
    ["a wrong key", 16, "UNAUTHENTICATED", (call) => call(listOrders, {}, "dk_wrong")],
    [
      "a key without the scope",
      7,
      "PERMISSION_DENIED",
      async (call) => {
        const { key } = await docket.tenant("reader", ["items.read"]);
        return call(cancelOrder, { name: "orders/none" }, key);
      },
    ],
  ];

  test.each(refusals)("refuse %s alike", async (what, code, reason, script) => {
    const results = await onEach(`refuse-${what.replace(/\W+/g, "-").slice(0, 40).toLowerCase()}`, async (call) => [
      await script(call),
    ]);
    const [outcome] = expectAllAlike(results) as [{ error: { code: number; details: { reason?: string }[] } }];
    expect(outcome.error).toMatchObject({ code });
    const reasons = outcome.error.details.flatMap((detail) => detail.reason ?? []);
    expect(reasons).toEqual([reason === "*" ? expect.stringMatching(/^[A-Z_]+$/) : reason]);
  });

  test("name the fields of a violation as their requests do", async () => {
    const { key } = await docket.tenant("field-names");
    const { shippingFee: _, fulfillment: __, ...order } = anOrder;
    const customer = { id: "c1", displayName: "Ada\nLovelace" };
    const invalid = { ...order, customer, lineItems: [{ sku: "no such/sku", quantity: 1 }], labels: { Web: "x" } };
    const fields: Record<string, unknown> = {};
    for (const wire of wires) {
      const outcome = await wire.call(createOrder, { order: invalid, requestId: "x".repeat(200) }, key);
      fields[wire.name] = violatedFields(outcome);
    }
    const response = await fetch(`${docket.running.httpUrl}/docket.order.v1.OrderService/CreateOrder`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: JSON.stringify({ order: invalid, requestId: "x".repeat(200) }),
    });
    const { message } = (await response.json()) as { message: string };
    const byContract = ["order.line_items[0].sku", 'order.labels["Web"]', "request_id", "order.customer.display_name"];
    expect(fields).toEqual({
      REST: ["lineItems[0].sku", 'labels["Web"]', "requestId", "customer.displayName"],
      gRPC: byContract,
      "gRPC-Web": byContract,
      Connect: byContract,
    });
    expect(message).toMatch(/^order\.lineItems\[0\]\.sku: must be .*; order\.labels\["Web"\]: .*; requestId: /);
  });

  test("show an order's timeline alike", async () => {
    const { key, docket: owner } = await docket.tenant("timeline");
    await owner.items.createItem({
      item: { sku: "TEA", title: "Tea", prices: [money("EUR", "4.50")], stockOnHand: 9n },
    });
    const { name } = await owner.placeOrder({ ...anOrder, lineItems: [{ sku: "TEA", quantity: 1 }] });
    // Until it rests there is something new to tell at any moment.
    await untilState(owner, name, [Order_State.CONFIRMED]);
    const outcomes = await Promise.all(wires.map((wire) => wire.call(listOrderEvents, { parent: name }, key)));
    expect(new Set(outcomes.map((outcome) => JSON.stringify(outcome))).size).toBe(1);
  });
});

type Call = (
  method: Parameters<Wire["call"]>[0],
  request: Parameters<Wire["call"]>[1],
  key?: string,
) => Promise<Outcome>;

/** The resource name in an answer, or in the first element of a list. */
function nameOf(outcome: Outcome, list?: string): string {
  const message = "ok" in outcome ? (outcome.ok as Record<string, unknown>) : {};
  const resource = list === undefined ? message : (message[list] as Record<string, unknown>[] | undefined)?.[0];
  return String(resource?.["name"]);
}

/** Calls until the answer is what is waited for: what comes by events comes when it comes. */
async function until(
  call: Call,
  method: Parameters<Wire["call"]>[0],
  request: Parameters<Wire["call"]>[1],
  isThere: (message: Record<string, unknown>) => boolean,
): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    const outcome = await call(method, request);
    if ("ok" in outcome && isThere(outcome.ok as Record<string, unknown>)) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${method.name} did not answer what was waited for`);
}

/** Creates the order and waits until it is confirmed; answers its name. */
async function confirmedOrder(call: Call): Promise<string> {
  const name = nameOf(await call(createOrder, { order: anOrder, wait }));
  await until(call, getOrder, { name }, ({ state }) => state === "CONFIRMED");
  return name;
}

function violatedFields(outcome: Outcome): string[] {
  const { details } = ("error" in outcome ? outcome.error : {}) as {
    details?: { fieldViolations?: { field: string }[] }[];
  };
  return (details ?? []).flatMap(({ fieldViolations = [] }) => fieldViolations.map(({ field }) => field));
}
