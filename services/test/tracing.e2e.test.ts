import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { expect, test } from "@jest/globals";
import { type OtlpReceiver, startOtlpReceiver } from "../../gateway/test/support/otlp-receiver.ts";
import { Order_State } from "../../gen/docket/order/v1/order_pb.js";
import { createDocket } from "../../web-client/sdk/docket.ts";
import { eventually } from "./support/eventually.ts";
import { type Program, startProgram } from "./support/program.ts";
import { stockTea, teaOrder, untilState } from "./support/shop.ts";
import { createFolder } from "./support/start-docket.ts";

/** A caller's trace. */
function newTrace() {
  const [trace, span] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
  return { trace, span, traceparent: `00-${trace}-${span}-01` };
}

/** Runs the program with a receiver of its spans. */
async function withTelemetry(
  work: (program: Program, receiver: OtlpReceiver) => Promise<void>,
  environment: Record<string, string> = {},
): Promise<void> {
  await using storage = await createFolder();
  await using receiver = await startOtlpReceiver();
  await using program = await startProgram({
    ...storage.environment,
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    DOCKET_LOG_LEVEL: "debug",
    ...environment,
  });
  await work(program, receiver);
}

/** A proxy that answers the first three requests to each path with 503: clients of providers try as often. */
async function startFailingProxy() {
  const failed = new Map<string, number>();
  let target = "";
  const server = createServer(async (request, response) => {
    const { method = "", url = "", headers } = request;
    const body = await buffer(request);
    const count = failed.get(url) ?? 0;
    if (count < 3) {
      failed.set(url, count + 1);
      response.writeHead(503).end();
      return;
    }
    const { host, connection, "content-length": length, "transfer-encoding": coding, ...kept } = headers;
    const answer = await fetch(`${target}${url}`, {
      method,
      headers: kept as Record<string, string>,
      ...(body.length > 0 && { body }),
    });
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    forwardTo(url: string) {
      target = url;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A client whose calls belong to the trace. */
function tracedClient({ httpUrl, key }: Program, traceparent: string) {
  return createDocket({
    baseUrl: httpUrl,
    apiKey: key,
    retry: { maxAttempts: 1 },
    interceptors: [
      (next) => (request) => {
        request.header.set("traceparent", traceparent);
        return next(request);
      },
    ],
  });
}

test("an order's life is one trace, from the caller's span to the last step of its saga", async () => {
  await withTelemetry(async (program, receiver) => {
    await stockTea(program.docket, 10);
    const { trace, span, traceparent } = newTrace();
    const order = await tracedClient(program, traceparent).orders.createOrder({
      order: teaOrder(),
    });
    await untilState(program.docket, order.name, [Order_State.COMPLETED]);
    expect(await program.stop()).toBe(0);

    const own = receiver.spans.filter((each) => each.trace === trace);
    const [root] = own.filter(({ parent }) => parent === span);
    expect(root).toMatchObject({
      service: "docket",
      name: "docket.order.v1.OrderService/CreateOrder",
      kind: 2,
      failed: false,
      attributes: {
        "rpc.system.name": "connectrpc",
        "rpc.method": "docket.order.v1.OrderService/CreateOrder",
        "rpc.response.status_code": "OK",
      },
    });
    const ids = new Set(own.map(({ id }) => id));
    expect(own.filter(({ parent }) => parent !== span && !ids.has(parent))).toEqual([]);
    const names = own.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        "place-order hold-stock",
        "docket.inventory.v1.InventoryService/ReserveStock",
        "docket.payment.v1.PaymentService/OpenPayment",
        "docket.inventory.v1.InventoryService/CommitReservation",
        "docket.logistics.v1.LogisticsService/CreateShipment",
        "transaction",
        // What the provider and the carrier call back belongs to it, too.
        "docket.sandbox.v1.SandboxPaymentService/CreateSandboxPayment",
        "docket.payment.v1.PaymentService/ReceivePaymentCallback",
        "carrier task",
        "docket.logistics.v1.LogisticsService/ReceiveCarrierCallback",
        "process docket.logistics.v1.ShipmentDelivered",
      ]),
    );
    // A batch of commands serves many traces, and is linked to each.
    expect(receiver.spans.filter(({ name, links }) => name === "commands" && links.includes(trace))).not.toEqual([]);
  });
}, 120_000);

test("every log line of a call and of what it causes has its trace, also where first attempts fail", async () => {
  await using proxy = await startFailingProxy();
  const addresses = { DOCKET_SANDBOX_URL: proxy.url, DOCKET_PUBLIC_URL: proxy.url };
  await withTelemetry(async (program) => {
    proxy.forwardTo(program.httpUrl);
    await stockTea(program.docket, 10);
    const { trace, traceparent } = newTrace();
    const order = await tracedClient(program, traceparent).orders.createOrder({ order: teaOrder() });
    await untilState(program.docket, order.name, [Order_State.COMPLETED]);
    expect(await program.stop()).toBe(0);

    const lines = program
      .logged()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const outside = lines.filter((line) => !("trace_id" in line && "span_id" in line)).map(({ msg }) => msg);
    expect([...new Set(outside)].sort()).toEqual(["lifecycle", "shutting down", "stopped"]);
    const own = lines.filter((line) => line["trace_id"] === trace);
    expect(own.map(({ rpc, msg }) => rpc ?? msg)).toEqual(
      expect.arrayContaining([
        "docket.order.v1.OrderService/CreateOrder",
        "docket.inventory.v1.InventoryService/ReserveStock",
        "the provider did not respond",
        "saga step failed",
        "the carrier could not be queried",
        "callback not delivered",
        "docket.payment.v1.PaymentService/ReceivePaymentCallback",
        "docket.logistics.v1.LogisticsService/ReceiveCarrierCallback",
      ]),
    );
  }, addresses);
}, 120_000);

test("an event is handled in the trace of the call that published it", async () => {
  await withTelemetry(async (program, receiver) => {
    await stockTea(program.docket, 10);
    const { name } = await program.docket.orders.createOrder({ order: teaOrder() });
    await untilState(program.docket, name, [Order_State.COMPLETED]);
    const { trace, traceparent } = newTrace();
    await tracedClient(program, traceparent).payments.refundPayment({ name: `${name}/payments/1` });
    const headers = { authorization: `Bearer ${program.key}` };
    const recorded = async () => {
      const response = await fetch(`${program.httpUrl}/v1/auditEvents`, { headers });
      return (await response.text()).includes("RefundPayment");
    };
    await eventually(recorded, true);
    expect(await program.stop()).toBe(0);
    const handled = receiver.spans.find(({ name }) => name === "process docket.audit.v1.AuditRecorded");
    expect(handled).toMatchObject({
      trace,
      kind: 5,
      attributes: { "messaging.consumer.group.name": "operations.audit", "docket.tenant": "default" },
    });
    expect(receiver.spans.some(({ name, links }) => name === "receive operations.audit" && links.includes(trace))).toBe(
      true,
    );
  });
}, 120_000);

test("no span is lost when the program is stopped", async () => {
  await withTelemetry(
    async (program, receiver) => {
      const { trace, traceparent } = newTrace();
      const docket = tracedClient(program, traceparent);
      const calls = 200;
      await Promise.all(Array.from({ length: calls }, () => docket.orders.listOrders({ pageSize: 1 })));
      expect(await program.stop()).toBe(0);
      const served = receiver.spans.filter((each) => each.trace === trace && each.kind === 2);
      expect(served).toHaveLength(calls);
    },
    // Nothing is sent before the end.
    { OTEL_BSP_SCHEDULE_DELAY: "600000", OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "2000" },
  );
}, 120_000);

test("a failed call's span says so, and an unsampled trace stays unsampled", async () => {
  await withTelemetry(async (program, receiver) => {
    const sampled = newTrace();
    const unsampled = newTrace();
    const missing = (traceparent: string) =>
      tracedClient(program, traceparent)
        .orders.getOrder({ name: "orders/missing" })
        .catch((error: { code: string }) => error.code);
    expect(await missing(sampled.traceparent)).toBe("NOT_FOUND");
    expect(await missing(unsampled.traceparent.replace(/01$/, "00"))).toBe("NOT_FOUND");
    await fetch(`${program.httpUrl}/v1/orders`, { headers: { traceparent: sampled.traceparent } });
    expect(await program.stop()).toBe(0);
    const codes = receiver.spans
      .filter(({ trace, kind }) => trace === sampled.trace && kind === 2)
      .map(({ attributes, failed }) => [attributes["rpc.response.status_code"], failed]);
    expect(codes).toEqual([
      ["NOT_FOUND", false],
      ["UNAUTHENTICATED", false],
    ]);
    expect(receiver.spans.filter(({ trace }) => trace === unsampled.trace)).toEqual([]);
  });
}, 120_000);
