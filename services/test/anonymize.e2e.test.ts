import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";
import { describe, expect, test } from "@jest/globals";
import { sql } from "kysely";
import { file_docket_inventory_v1_inventory_service } from "../../gen/docket/inventory/v1/inventory_service_pb.js";
import { Shipment_State } from "../../gen/docket/logistics/v1/logistics_pb.js";
import {
  file_docket_logistics_v1_logistics_service,
  CloseShipmentRequest_Outcome as Outcome,
} from "../../gen/docket/logistics/v1/logistics_service_pb.js";
import {
  file_docket_order_v1_customer_service,
  SkippedOrder_Reason as Reason,
} from "../../gen/docket/order/v1/customer_service_pb.js";
import { Automation, Order_State, OrderSchema } from "../../gen/docket/order/v1/order_pb.js";
import { file_docket_order_v1_order_service } from "../../gen/docket/order/v1/order_service_pb.js";
import { PaymentRefundedSchema } from "../../gen/docket/payment/v1/payment_events_pb.js";
import { file_docket_payment_v1_payment_service } from "../../gen/docket/payment/v1/payment_service_pb.js";
import { money } from "../../web-client/sdk/money.ts";
import { isErasedWithCustomer } from "../runtime/api/personal-fields.ts";
import type { InboxTables } from "../runtime/inbox/tables.ts";
import { until } from "../runtime/testing/until.ts";
import { auditBooks } from "./support/audit/books.ts";
import { runCli } from "./support/cli.ts";
import { eventually } from "./support/eventually.ts";
import { createMarks, type Marks, marksInDatabases, marksInFiles, openBeside, plant } from "./support/marks.ts";
import { type Program, startProgram } from "./support/program.ts";
import { stockTea, teaOrder, untilState } from "./support/shop.ts";
import { describeEachStorage, type Storage } from "./support/start-docket.ts";

const { CONFIRMED, COMPLETED, CANCELLED } = Order_State;
const { EXCEPTION, DELIVERED } = Shipment_State;
const wait = durationFromMs(30_000);

/** An order with a mark in every field that is erased with its customer; fulfilled by hand. */
function markedOrder(marks: Marks, where: string) {
  const order = create(OrderSchema, {
    ...teaOrder({ fulfillment: Automation.MANUAL, lineItems: [{ sku: "TEA", quantity: 3 }] }),
    shippingAddress: { regionCode: "DE" },
    customer: {},
  });
  const fields = plant(OrderSchema, order, marks, where);
  return { order, fields };
}

/** What a program has done to an order with marks, on the way to its end. */
interface Marked {
  readonly name: string;
  readonly order: ReturnType<typeof markedOrder>["order"];
  readonly requestId: string;
}

/** Leads an order through holding, cancelled lines, a lost and a delivered parcel, and a refund, with a mark in every text. */
async function live({ docket: shop }: Program, marks: Marks, used: Set<string>): Promise<Marked> {
  const { order, fields } = markedOrder(marks, "delivered");
  for (const field of fields) {
    used.add(field);
  }
  const noted = (request: string, field = "note") => {
    used.add(`docket.${request}Request.${field}`);
    return marks.at(`${request}.${field}`);
  };
  const requestId = "create-1";
  const { name } = await shop.orders.createOrder({ order, requestId });
  await untilState(shop, name, [CONFIRMED]);
  await shop.orders.holdOrder({ name, note: noted("order.v1.HoldOrder"), requestId: "hold-1" });
  await shop.orders.releaseOrder({ name, note: noted("order.v1.ReleaseOrder"), requestId: "release-1" });
  await shop.orders.updateOrder({
    order: { name, note: marks.at("UpdateOrder.note"), labels: { a: marks.at("UpdateOrder.labels") } },
    updateMask: { paths: ["note", "labels"] },
    requestId: "update-1",
  });

  const ship = async (carrierService: string, state: Shipment_State) => {
    const lines = [{ lineItemId: "1", quantity: 1 }];
    const labels = { a: marks.at(`shipment.${carrierService}`) };
    const shipment = { carrierService, lines, labels };
    const made = await shop.shipments.createShipment({ parent: name, shipment, requestId: carrierService });
    await eventually(async () => (await shop.shipments.getShipment({ name: made.name })).state, state);
    return made.name;
  };
  const lost = await ship("lost", EXCEPTION);
  const note = noted("logistics.v1.CloseShipment");
  await shop.shipments.closeShipment({ name: lost, outcome: Outcome.LOST, note, requestId: "close-1" });
  await ship("deliver_now", DELIVERED);
  await ship("duplicate", DELIVERED);
  await shop.orders.cancelOrderLines({
    name,
    lines: [{ lineItemId: "1", quantity: 1 }],
    note: noted("order.v1.CancelOrderLines"),
    requestId: "lines-1",
  });
  await untilState(shop, name, [COMPLETED]);
  await shop.payments.refundPayment({
    name: `${name}/payments/1`,
    amount: money("EUR", "1.00"),
    reason: noted("payment.v1.RefundPayment", "reason"),
    requestId: "refund-1",
  });
  await eventually(async () => (await shop.orders.getOrder({ name })).paymentState, 6);
  return { name, order, requestId };
}

/** Writes messages in the form of real providers and carriers, and unprocessable messages, beside the program. */
async function plantBeside(storage: Storage, marks: Marks, name: string): Promise<void> {
  const about = `${name}/%`;
  const at = (where: string) => marks.at(where);
  await using payment = await openBeside<unknown>(storage, "payment");
  await using logistics = await openBeside<unknown>(storage, "logistics");
  await using order = await openBeside<InboxTables>(storage, "order");
  await using inventory = await openBeside<InboxTables>(storage, "inventory");
  for (const db of [payment, logistics]) {
    await sql`update inbound_callbacks set headers = ${`{"x":"${at("callback.headers")}"}`},
      body = ${Buffer.from(at("callback.body"))}, failure_message = ${at("callback.failure_message")}
      where subject like ${about}`.execute(db.kysely);
  }
  const id = name.slice("orders/".length);
  await sql`update payments set failure_message = ${at("payment.failure_message")}, client_secret = ${at("client_secret")},
    redirect_url = ${at("redirect_url")} where order_id = ${id}`.execute(payment.kysely);
  await sql`update refunds set failure_message = ${at("refund.failure_message")}`.execute(payment.kysely);
  await sql`update payment_operations set message = ${at("operation.message")}`.execute(payment.kysely);
  await sql`update tracking_events set message = ${at("tracking.message")}, location = ${at("tracking.location")}`.execute(
    logistics.kysely,
  );
  await sql`update shipments set tracking_url = ${at("tracking_url")}`.execute(logistics.kysely);
  const event = create(PaymentRefundedSchema, {
    payment: { name: `${name}/payments/1`, failureMessage: at("dead.failure_message") },
    refund: { id: "1", reason: at("dead.reason") },
  });
  const letters = [toBinary(PaymentRefundedSchema, event), Buffer.from(`\xff${at("poison")}`, "latin1")];
  for (const db of [order, inventory]) {
    for (const [i, data] of letters.entries()) {
      await db.kysely
        .insertInto("dead_letters")
        .values({
          id: `0${i}`,
          tenant_id: "default",
          consumer: "order.payments",
          message_id: `dead-${i}`,
          event_type: PaymentRefundedSchema.typeName,
          source: "docket/payment",
          aggregate: name,
          sequence: 1,
          published_at: 1,
          data,
          extensions: null,
          error: at("dead.error"),
          attempts: 8,
          created_at: 1,
          replayed_at: null,
        })
        .execute();
    }
  }
}

describeEachStorage("AnonymizeCustomer", (createStorage) => {
  test("erases everything that tells of a customer, and nothing that belongs into the books", async () => {
    await using storage = await createStorage();
    await using program = await startProgram({ ...storage.environment, DOCKET_LOG_LEVEL: "trace" });
    const { docket: shop, httpUrl, key } = program;
    const marks = createMarks();
    const used = new Set<string>();
    await stockTea(shop, 100);
    const delivered = await live(program, marks, used);
    const { customer } = delivered.order;

    // More orders of the customer: one cancelled, two of a batch, one of a file; and one that has not ended.
    const more = (where: string) => {
      const { order } = markedOrder(marks, where);
      return create(OrderSchema, { ...order, ...(customer && { customer }), paymentToken: "tok_timeout" });
    };
    const toCancel = await shop.orders.createOrder({ order: more("cancelled"), requestId: "create-2" });
    const batch = { requests: [{ order: more("batch 1") }, { order: more("batch 2") }], requestId: "batch-1" };
    const { orders: batched } = await shop.orders.batchCreateOrders(batch);
    const open = await shop.orders.createOrder({ order: more("open") });
    for (const { name } of [toCancel, ...batched]) {
      used.add("docket.order.v1.CancelOrderRequest.note");
      await shop.orders.cancelOrder({ name, note: marks.at("CancelOrder.note"), requestId: `cancel ${name}` });
      await untilState(shop, name, [CANCELLED]);
    }
    // A callback that is refused leaves nothing, its words in the log included.
    const refused = await fetch(`${httpUrl}/v1/webhooks/payments/sandbox`, {
      method: "POST",
      headers: { "webhook-signature": marks.at("refused.header"), "content-type": "application/json" },
      body: JSON.stringify({ name: marks.at("refused.body") }),
    });
    expect(refused.status).toBe(401);
    const filter = encodeURIComponent(`customer.id="${customer?.id}"`);
    const auth = { authorization: `Bearer ${key}` };
    const exported = await (await fetch(`${httpUrl}/v1/orders:export?filter=${filter}`, { headers: auth })).text();
    expect(exported).toContain(delivered.name);

    await plantBeside(storage, marks, delivered.name);
    const before = await shop.payments.getPayment({ name: `${delivered.name}/payments/1` });
    const stored = await shop.orders.getOrder({ name: delivered.name });
    const inDatabases = await marksInDatabases(storage, marks);
    const books = await auditBooks(shop);
    // All orders have the customer of the first.
    const isKept = (where: string) => !/^refused\.|^(?!delivered).*\.customer\./.test(where);
    expect(new Set(inDatabases.map((line) => line.replace(/^.*?: /, "")))).toEqual(
      new Set(marks.planted.filter(isKept)),
    );
    expect([...used].sort()).toEqual(requestFields());

    // Nothing changes where the caller only asks what would.
    const whole = { customerId: "", email: ` ${customer?.email.toUpperCase()} `, orders: [] };
    const ended = [delivered.name, toCancel.name, ...batched.map(({ name }) => name)].sort();
    const asked = await shop.customers.anonymizeCustomer({ ...whole, validateOnly: true });
    expect(asked.anonymizedOrders.map(({ order }) => order)).toEqual(ended);
    expect(await marksInDatabases(storage, marks)).toEqual(inDatabases);

    const dryRun = await runCli(["customers", "anonymize", "--email", whole.email, "--dry-run"], { url: httpUrl, key });
    expect(dryRun.stdout.trim().split("\n")).toHaveLength(ended.length + 1);

    const anonymize = () => shop.customers.anonymizeCustomer({ ...whole, wait, requestId: "erase-1" });
    const answer = await anonymize();
    expect(answer.anonymizedOrders).toMatchObject(ended.map((order) => ({ order, done: true })));
    expect(answer.skippedOrders).toMatchObject([
      { order: open.name, reason: Reason.NOT_ENDED, state: Order_State.AWAITING_PAYMENT },
    ]);
    expect(await anonymize()).toMatchObject({ anonymizedOrders: ended.map((order) => ({ order, done: true })) });

    // The order that had not ended follows once it has; one that is no order is named.
    await shop.orders.cancelOrder({ name: open.name, note: marks.at("CancelOrder.note") });
    await untilState(shop, open.name, [CANCELLED]);
    const rest = { customerId: customer?.id ?? "", orders: ["orders/none"], wait };
    expect(await shop.customers.anonymizeCustomer(rest)).toMatchObject({
      anonymizedOrders: [{ order: open.name, done: true }],
      skippedOrders: [{ order: "orders/none", reason: Reason.NOT_FOUND }],
    });

    // Not a mark is left, in any column, file or line of the log.
    expect(await marksInDatabases(storage, marks)).toEqual([]);
    expect(await marksInFiles(storage, marks)).toEqual([]);
    expect(marks.foundIn(program.logged() + program.said())).toEqual([]);
    expect(program.logged()).toContain("AnonymizeCustomer");

    // What is left is valid, has a new version, and the books are as they were.
    const after = await shop.orders.getOrder({ name: delivered.name });
    expect(after).toMatchObject({
      customer: { id: "[erased]", displayName: "", email: "", phone: "" },
      shippingAddress: { recipient: "[erased]", addressLines: ["[erased]"], locality: "", regionCode: "DE" },
      labels: {},
      note: "",
      anonymizeTime: expect.anything(),
      total: stored.total,
      lineItems: stored.lineItems,
      state: COMPLETED,
    });
    expect(after.etag).not.toBe(stored.etag);
    expect(createValidator().validate(OrderSchema, after).kind).toBe("valid");
    const payment = await shop.payments.getPayment({ name: before.name });
    expect(payment).toMatchObject({
      capturedAmount: before.capturedAmount,
      refundedAmount: before.refundedAmount,
      failureMessage: "[erased]",
    });
    expect(payment.refunds.map(({ amount }) => amount)).toEqual(before.refunds.map(({ amount }) => amount));
    expect(payment.etag).not.toBe(before.etag);
    expect(await auditBooks(shop)).toEqual(books);

    // A replay answers the same order, erased; what was erased does not come back.
    const replayed = await shop.orders.createOrder({ order: delivered.order, requestId: delivered.requestId });
    expect(replayed).toMatchObject({ name: delivered.name, customer: { id: "[erased]" } });
    const replayedBatch = await shop.orders.batchCreateOrders(batch);
    expect(replayedBatch.orders.map(({ name }) => name)).toEqual(batched.map(({ name }) => name));
    const again = shop.orders.updateOrder({
      order: { name: delivered.name, note: "Ada" },
      updateMask: { paths: ["note"] },
    });
    await expect(again).rejects.toMatchObject({ reason: "ORDER_ANONYMIZED" });

    // Dead letters that could be read can still be; each order is on the audit trail.
    await using order = await openBeside<InboxTables>(storage, "order");
    const [letter] = await order.kysely.selectFrom("dead_letters").select("data").orderBy("id").execute();
    const data = fromBinary(PaymentRefundedSchema, letter?.data ?? new Uint8Array());
    expect(data).toMatchObject({ payment: { name: before.name }, refund: { id: "1" } });
    const trail = async () => {
      const method = encodeURIComponent('method="docket.order.v1.CustomerService/AnonymizeCustomer"');
      const response = await fetch(`${httpUrl}/v1/auditEvents?filter=${method}`, { headers: auth });
      const { auditEvents = [] } = (await response.json()) as { auditEvents?: { resource: string }[] };
      return auditEvents
        .map(({ resource }) => resource)
        .sort()
        .join();
    };
    await eventually(trail, [...ended, open.name].sort().join());
  }, 180_000);

  test("goes on where it was when the process dies between two services", async () => {
    await using storage = await createStorage();
    const marks = createMarks();
    let name = "";
    let books: string[];
    {
      await using program = await startProgram(storage.environment);
      await stockTea(program.docket, 100);
      ({ name } = await live(program, marks, new Set()));
      await plantBeside(storage, marks, name);
      books = await auditBooks(program.docket);
      // The payments are locked, so that the erasure comes as far as the shipments.
      await using payment = await openBeside<unknown>(storage, "payment");
      const locked = Promise.withResolvers<void>();
      const killed = Promise.withResolvers<void>();
      const holding = payment.transaction(async (trx) => {
        await sql`update payments set attempt = attempt`.execute(trx);
        locked.resolve();
        await killed.promise;
      });
      await locked.promise;
      await program.docket.customers.anonymizeCustomer({ orders: [name] });
      await until(async () => !(await marksInDatabases(storage, marks)).some((line) => line.startsWith("logistics.")));
      await program.kill();
      killed.resolve();
      await holding;
    }
    const left = await marksInDatabases(storage, marks);
    expect(left).not.toEqual([]);
    expect(left.every((line) => line.startsWith("payment.") || line.startsWith("inventory."))).toBe(true);

    await using program = await startProgram(storage.environment);
    await until(async () => (await marksInDatabases(storage, marks)).length === 0, 60_000);
    await eventually(async () => {
      const events = await Array.fromAsync(program.docket.listOrderEvents({ parent: name }));
      return events.at(-1)?.type;
    }, "PersonalDataErased");
    expect(await auditBooks(program.docket)).toEqual(books);
  }, 180_000);
});

describe("the fields that are erased with a customer", () => {
  test("are required to be where the test above plants its marks", () => {
    expect(requestFields()).toContain("docket.order.v1.Customer.email");
    expect(requestFields()).toContain("docket.order.v1.HoldOrderRequest.note");
  });
});

/** The full names of all fields of requests that are erased with a customer, and that a caller can set. */
function requestFields(): string[] {
  const files = [
    file_docket_inventory_v1_inventory_service,
    file_docket_logistics_v1_logistics_service,
    file_docket_order_v1_customer_service,
    file_docket_order_v1_order_service,
    file_docket_payment_v1_payment_service,
  ];
  const inputs = files.flatMap((file) => file.services.flatMap(({ methods }) => methods.map(({ input }) => input)));
  const own = inputs
    .filter(({ name }) => name !== "AnonymizeCustomerRequest")
    .flatMap(({ fields, typeName }) => fields.filter(isErasedWithCustomer).map(({ name }) => `${typeName}.${name}`));
  return [...new Set([...own, ...plant(OrderSchema, create(OrderSchema), createMarks())])].sort();
}
