import { create, toJson } from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "@jest/globals";
import { type AuditEvent, AuditEvent_Outcome } from "../../gen/docket/audit/v1/audit_pb.js";
import { AuditService } from "../../gen/docket/operations/v1/audit_service_pb.js";
import { SagaService } from "../../gen/docket/operations/v1/saga_service_pb.js";
import { Automation, Order_State, OrderSchema } from "../../gen/docket/order/v1/order_pb.js";
import { PaymentService } from "../../gen/docket/payment/v1/payment_service_pb.js";
import { money } from "../../web-client/sdk/money.ts";
import { until } from "../runtime/testing/until.ts";
import { stockTea, teaOrder, untilState } from "./support/shop.ts";
import { startDocket } from "./support/start-docket.ts";

test("the audit trail has what callers did, on whatever wire, and nothing of what services did for them", async () => {
  await using docket = await startDocket();
  const { docket: shop, key } = await docket.tenant("acme");
  const { httpUrl, grpcAddress } = docket.running;
  const headers = { authorization: `Bearer ${key}`, "x-request-id": "audited-1" };
  const web = createConnectTransport({ baseUrl: httpUrl, httpVersion: "1.1" });
  await stockTea(shop, 10);

  // An order at the catalogue's prices, which is refunded over gRPC, and one with a price of the caller's.
  const { name } = await shop.orders.createOrder({ order: teaOrder({ fulfillment: Automation.MANUAL }) });
  await untilState(shop, name, [Order_State.CONFIRMED]);
  const payments = createClient(PaymentService, createGrpcTransport({ baseUrl: `http://${grpcAddress}` }));
  await payments.refundPayment({ name: `${name}/payments/1`, amount: money("EUR", "1.00") }, { headers });
  const lineItems = [{ sku: "TEA", quantity: 1, unitPrice: money("EUR", "0.01") }];
  const cheap = await shop.orders.createOrder({ order: teaOrder({ lineItems, paymentToken: "tok_timeout" }) });
  const sagas = createClient(SagaService, web);
  const { sagas: running } = await sagas.listSagas({ filter: `aggregate = "${cheap.name}"` }, { headers });
  await sagas.pauseSaga({ name: running[0]?.name ?? "" }, { headers });
  const exported = await fetch(`${httpUrl}/v1/orders:export?filter=sku%3D%22TEA%22`, { headers });
  expect((await exported.text()).split("\n").length).toBeGreaterThan(2);

  const audit = createClient(AuditService, web);
  const list = async () => (await audit.listAuditEvents({}, { headers })).auditEvents;
  await until(async () => (await list()).length >= 5);
  const byMethod = (event: AuditEvent) => event.method.replace(/^.*\//, "");
  const found = new Map((await list()).map((event) => [byMethod(event), event]));
  expect([...found.keys()].sort()).toEqual([
    "CreateApiKey",
    "CreateOrder",
    "ExportOrders",
    "PauseSaga",
    "RefundPayment",
  ]);
  expect(found.get("CreateOrder")).toMatchObject({ resource: cheap.name, details: { total: "1", currency: "EUR" } });
  expect(found.get("ExportOrders")).toMatchObject({ resource: "orders", details: { filter: 'sku="TEA"' } });
  expect(found.get("PauseSaga")).toMatchObject({ resource: running[0]?.name });
  const actor = found.get("CreateOrder")?.actor ?? "";
  expect(actor).toMatch(/^api_key:apiKeys\//);
  for (const method of ["RefundPayment", "PauseSaga", "ExportOrders"]) {
    expect(found.get(method)).toMatchObject({
      actor,
      requestId: "audited-1",
      clientAddress: expect.stringContaining("127.0.0.1"),
    });
  }
  expect(found.get("RefundPayment")).toMatchObject({
    resource: `${name}/payments/1`,
    details: { amount: "100", currency: "EUR" },
  });
});

test("refused attempts are on the trail with their reasons, on whatever wire, and strangers leave nothing", async () => {
  await using docket = await startDocket();
  const { docket: shop, key } = await docket.tenant("acme");
  await stockTea(shop, 10);
  const { docket: clerk, key: clerkKey } = await docket.tenant("acme", ["orders.read"]);
  const { httpUrl, grpcAddress, adminKey } = docket.running;
  const as = (bearer: string, requestId: string) => ({ authorization: `Bearer ${bearer}`, "x-request-id": requestId });
  const name = "orders/01h0000000000000000000000a/payments/1";

  const overRest = await fetch(`${httpUrl}/v1/${name}:refund`, { method: "POST", headers: as(clerkKey, "rest-1") });
  expect(overRest.status).toBe(403);
  const payments = createClient(PaymentService, createGrpcTransport({ baseUrl: `http://${grpcAddress}` }));
  const overGrpc = payments.refundPayment({ name }, { headers: as(clerkKey, "grpc-1") });
  await expect(overGrpc).rejects.toMatchObject({ code: Code.PermissionDenied });
  await expect(clerk.customers.anonymizeCustomer({ email: "ada@example.org" })).rejects.toMatchObject({
    code: "PERMISSION_DENIED",
  });
  // What is not audited, and who is not known, leaves nothing.
  await expect(clerk.orders.cancelOrder({ name: "orders/x" })).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  expect((await fetch(`${httpUrl}/v1/${name}:refund`, { method: "POST" })).status).toBe(401);
  // A precondition that fails is a refusal too, in the tenant of its caller.
  const configured = docket.admin.apiKeys.revokeApiKey({ name: "apiKeys/admin" });
  await expect(configured).rejects.toMatchObject({ reason: "API_KEY_IS_CONFIGURED" });

  // A price that the caller may not set is refused as invalid, and is an attempt all the same.
  const { docket: seller } = await docket.tenant("acme", ["orders.write"]);
  const lineItems = [{ sku: "TEA", quantity: 1, unitPrice: money("EUR", "0.01") }];
  const cheap = teaOrder({ lineItems, shippingFee: money("EUR", "1") });
  const invalid = { code: "INVALID_ARGUMENT" };
  await expect(seller.orders.createOrder({ order: cheap })).rejects.toMatchObject(invalid);
  await expect(seller.orders.batchCreateOrders({ requests: [{ order: cheap }] })).rejects.toMatchObject(invalid);
  const row = JSON.stringify(toJson(OrderSchema, create(OrderSchema, cheap)));
  const file = `${row}\n`.repeat(3);
  expect(await seller.importOrders(file, { contentType: "application/x-ndjson" })).toMatchObject({ failedCount: 3n });

  const audit = createClient(AuditService, createConnectTransport({ baseUrl: httpUrl, httpVersion: "1.1" }));
  const denied = async (bearer: string) => {
    const list = { filter: "outcome = DENIED" };
    const { auditEvents } = await audit.listAuditEvents(list, { headers: as(bearer, "list-1") });
    return auditEvents;
  };
  await until(async () => (await denied(key)).length >= 6);
  const events = await denied(key);
  expect(events.map(({ method, reason }) => `${method.replace(/^.*\//, "")} ${reason}`).sort()).toEqual([
    "AnonymizeCustomer PERMISSION_DENIED",
    "BatchCreateOrders PRICE_OVERRIDE_DENIED",
    "CreateOrder PRICE_OVERRIDE_DENIED",
    "ImportOrders PRICE_OVERRIDE_DENIED",
    "RefundPayment PERMISSION_DENIED",
    "RefundPayment PERMISSION_DENIED",
  ]);
  expect(events.find(({ requestId }) => requestId === "rest-1")).toMatchObject({
    actor: expect.stringMatching(/^api_key:apiKeys\//),
    clientAddress: expect.stringContaining("127.0.0.1"),
    outcome: AuditEvent_Outcome.DENIED,
  });
  expect(events.find(({ method }) => method.endsWith("/CreateOrder"))?.details).toEqual({
    fields: "line_items[0].unit_price, shipping_fee",
  });
  expect(JSON.stringify(events.map(({ details }) => details))).not.toContain("ada@example.org");
  await until(async () => (await denied(adminKey)).length === 1);
  expect(await denied(adminKey)).toMatchObject([{ resource: "apiKeys/admin", reason: "API_KEY_IS_CONFIGURED" }]);
  const { auditEvents: allowed } = await audit.listAuditEvents(
    { filter: "outcome = ALLOWED" },
    { headers: as(key, "list-2") },
  );
  expect(allowed.map(({ method }) => method.replace(/^.*\//, ""))).toEqual([
    "CreateApiKey",
    "CreateApiKey",
    "CreateApiKey",
  ]);
});
