import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "@jest/globals";
import type { AuditEvent } from "../../gen/docket/audit/v1/audit_pb.js";
import { AuditService } from "../../gen/docket/operations/v1/audit_service_pb.js";
import { SagaService } from "../../gen/docket/operations/v1/saga_service_pb.js";
import { Automation, Order_State } from "../../gen/docket/order/v1/order_pb.js";
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
