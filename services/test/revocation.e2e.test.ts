import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { expect, test } from "@jest/globals";
import { WebSocket } from "ws";
import { OrderService } from "../../gen/docket/order/v1/order_service_pb.js";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { until } from "../runtime/testing/until.ts";
import { stockTea, teaOrder } from "./support/shop.ts";
import { startDocket } from "./support/start-docket.ts";

/** Why a call ended whose credential had been accepted, and was revoked while it ran. */
const ended = "UNAUTHENTICATED CREDENTIAL_ENDED";

test("every stream ends with UNAUTHENTICATED, on every wire, when its key is revoked", async () => {
  await using docket = await startDocket();
  const { httpUrl, grpcAddress } = docket.running;
  const { key, name } = await docket.admin.apiKeys.createApiKey({
    apiKey: { displayName: "watcher", scopes: ["orders.write"] },
  });
  const authorization = `Bearer ${key}`;
  const begun = new Set<string>();

  const watch = async (wire: string, transport: Transport) => {
    const { watchOrders } = createClient(OrderService, transport);
    for await (const _ of watchOrders({}, { headers: { authorization } })) {
      begun.add(wire);
    }
  };
  const upload = async (wire: string, transport: Transport) => {
    async function* rows() {
      yield { file: { contentType: "application/x-ndjson", data: Buffer.from("\n") } };
      begun.add(wire);
      await new Promise(() => {});
    }
    await createClient(OrderService, transport).importOrders(rows(), { headers: { authorization } });
  };
  const watchRest = async (accept: string) => {
    const response = await fetch(`${httpUrl}/v1/orders:watch`, { headers: { authorization, accept } });
    let received = "";
    for await (const chunk of response.body ?? []) {
      begun.add(accept);
      received += Buffer.from(chunk).toString();
    }
    return received;
  };
  const uploadRest = async () => {
    const request = httpRequest(`${httpUrl}/v1/orders:import`, {
      method: "POST",
      headers: { authorization, "content-type": "application/x-ndjson" },
    });
    request.on("error", () => {});
    request.write("\n", () => begun.add("REST upload"));
    const [response] = (await once(request, "response")) as [IncomingMessage];
    return text(response).finally(() => request.destroy());
  };
  const watchSocket = async () => {
    const socket = new WebSocket(`${httpUrl.replace("http:", "ws:")}/v1/orders:watch`, { headers: { authorization } });
    let last = "";
    socket.on("open", () => {
      socket.send("{}");
      socket.send("");
    });
    socket.on("message", (data) => {
      begun.add("WebSocket");
      last = String(data);
    });
    const [code] = (await once(socket, "close")) as [number];
    expect(code).toBe(1008);
    return last;
  };

  const transports = {
    gRPC: createGrpcTransport({ baseUrl: `http://${grpcAddress}` }),
    Connect: createConnectTransport({ baseUrl: httpUrl, httpVersion: "1.1" }),
    "gRPC-Web": createGrpcWebTransport({ baseUrl: httpUrl, httpVersion: "1.1" }),
  };
  const calls: Record<string, Promise<string>> = {
    NDJSON: watchRest("application/x-ndjson").then(reasonInText),
    SSE: watchRest("text/event-stream").then(reasonInText),
    WebSocket: watchSocket().then(reasonInText),
    "REST upload": uploadRest().then(reasonInText),
  };
  for (const [wire, transport] of Object.entries(transports)) {
    calls[wire] = watch(wire, transport).then(() => "OK", reasonOfError);
    calls[`${wire} upload`] = upload(`${wire} upload`, transport).then(() => "OK", reasonOfError);
  }
  const names = Object.keys(calls);
  await until(() => begun.size === names.length);
  await activeCalls(docket.running.opsUrl, "ImportOrders", 4);

  await docket.admin.apiKeys.revokeApiKey({ name });
  const outcomes = await Promise.all(Object.entries(calls).map(async ([wire, call]) => [wire, await call]));
  expect(Object.fromEntries(outcomes)).toEqual(Object.fromEntries(names.map((wire) => [wire, ended])));
});

test("calls that wait end with UNAUTHENTICATED, on every wire, when their key is revoked", async () => {
  // The payment is not answered while the test runs.
  await using docket = await startDocket({ DOCKET_SANDBOX_DELAY: "10m" });
  const { httpUrl, grpcAddress } = docket.running;
  await stockTea(docket.admin, 10);
  const { key, name } = await docket.admin.apiKeys.createApiKey({
    apiKey: { displayName: "buyer", scopes: ["orders.write"] },
  });
  const authorization = `Bearer ${key}`;
  const create = (transport: Transport) =>
    createClient(OrderService, transport)
      .createOrder({ order: teaOrder(), wait: { seconds: 60n } }, { headers: { authorization } })
      .then(({ state }) => `OK ${state}`, reasonOfError);
  const createRest = async () => {
    const response = await fetch(`${httpUrl}/v1/orders?wait=60s`, {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body: JSON.stringify(teaOrder()),
    });
    return response.ok ? "OK" : reasonInText(await response.text());
  };
  const calls = {
    gRPC: create(createGrpcTransport({ baseUrl: `http://${grpcAddress}` })),
    Connect: create(createConnectTransport({ baseUrl: httpUrl, httpVersion: "1.1" })),
    "gRPC-Web": create(createGrpcWebTransport({ baseUrl: httpUrl, httpVersion: "1.1" })),
    REST: createRest(),
  };
  const names = Object.keys(calls);
  await activeCalls(docket.running.opsUrl, "CreateOrder", names.length);
  await until(async () => {
    const { orders } = await docket.admin.orders.listOrders({ filter: "state = AWAITING_PAYMENT" });
    return orders.length === names.length;
  });

  await docket.admin.apiKeys.revokeApiKey({ name });
  const outcomes = await Promise.all(Object.entries(calls).map(async ([wire, call]) => [wire, await call]));
  expect(Object.fromEntries(outcomes)).toEqual(Object.fromEntries(names.map((wire) => [wire, ended])));
  await activeCalls(docket.running.opsUrl, "CreateOrder", 0);
});

/** Resolves once that many calls of the method are being served. */
async function activeCalls(opsUrl: string, method: string, count: number): Promise<void> {
  const line = `rpc_server_active_calls{rpc_method="docket.order.v1.OrderService/${method}"} ${count}\n`;
  await until(async () => (await (await fetch(`${opsUrl}/metrics`)).text()).includes(line));
}

function reasonOfError(thrown: unknown): string {
  const error = ConnectError.from(thrown);
  const code = error.code === Code.Unauthenticated ? "UNAUTHENTICATED" : Code[error.code];
  return `${code} ${error.findDetails(ErrorInfoSchema)[0]?.reason ?? error.rawMessage}`;
}

/** The same of a body, a stream or a message that holds a `google.rpc.Status` in JSON. */
function reasonInText(body: string): string {
  const code = /"code":\s*(\d+)/.exec(body)?.[1];
  const reason = /"reason":\s*"(\w+)"/.exec(body)?.[1];
  return `${code === "16" ? "UNAUTHENTICATED" : code} ${reason ?? body.slice(-300)}`;
}
