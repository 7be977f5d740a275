import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import { Code, createClient, createServiceImplSpec } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { Health } from "../../../gen/health/v1/health_pb.js";
import type { Authenticate } from "../auth/authenticate.ts";
import { ProbeService } from "../call/testing/probe-service.ts";
import { probeInterceptors } from "../call/testing/wires.ts";
import { principalOf } from "../context-values.ts";
import { createLogger } from "../telemetry/log.ts";
import { createGrpcServer } from "./server.ts";
import { createGrpcTransport } from "./transport.ts";

async function serving(authenticate: Authenticate) {
  const { interceptors, admit, lines } = probeInterceptors(authenticate);
  const server = createGrpcServer({
    specs: [
      createServiceImplSpec<typeof ProbeService>(ProbeService, {
        ask: (_, context) => ({ text: principalOf(context).subject }),
        async collect(_, context) {
          return { text: principalOf(context).subject };
        },
      }),
    ],
    interceptors,
    admit,
    log: createLogger({ level: "silent", name: "test" }),
  });
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  const { transport, ...connection } = createGrpcTransport({ address: `127.0.0.1:${port}` });
  const session = connect(`http://127.0.0.1:${port}`);
  return {
    transport,
    session,
    lines,
    async [Symbol.asyncDispose]() {
      session.destroy();
      await connection[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Sends the head of a call and no byte of its messages. Resolves with the headers of a response without any. */
function sendHead(session: ClientHttp2Session, method: string, headers = {}): Promise<IncomingHttpHeaders> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": `/docket.testing.v1.ProbeService/${method}`,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    stream.on("error", reject);
    stream.on("response", (response) => {
      resolve(response);
      stream.close();
    });
  });
}

const keys: Record<string, string[]> = { reader: ["probes.read"], nothing: [] };
const known: Authenticate = async ({ token }) => {
  const scopes = keys[token];
  return scopes && { kind: "api_key", tenant: "acme", subject: token, scopes: new Set(scopes) };
};

test.each(["Ask", "Follow", "Collect", "Converse"])(
  "a call of %s is refused before its messages are read, with its request id, log line and metrics",
  async (method) => {
    await using served = await serving(known);

    const stranger = await sendHead(served.session, method, { "x-request-id": "r-1" });
    const denied = await sendHead(served.session, method, { authorization: "Bearer nothing" });

    expect(stranger).toMatchObject({ "grpc-status": String(Code.Unauthenticated), "x-request-id": "r-1" });
    expect(denied).toMatchObject({ "grpc-status": String(Code.PermissionDenied) });
    expect(served.lines).toMatchObject([
      { rpc: `docket.testing.v1.ProbeService/${method}`, wire: "grpc", code: "UNAUTHENTICATED", request_id: "r-1" },
      { rpc: `docket.testing.v1.ProbeService/${method}`, wire: "grpc", code: "PERMISSION_DENIED", subject: "nothing" },
    ]);
  },
);

test("a call that is admitted is authenticated once, and its handler knows the caller", async () => {
  let lookups = 0;
  await using served = await serving((...credential) => {
    lookups += 1;
    return known(...credential);
  });
  const client = createClient(ProbeService, served.transport);
  const headers = { authorization: "Bearer reader" };

  const asked = await client.ask({}, { headers });
  expect([asked.text, lookups]).toEqual(["reader", 1]);
  const collected = await client.collect((async function* () {})(), { headers });
  expect(collected.text).toBe("reader");
});

test("health is served without admission", async () => {
  await using served = await serving(() => Promise.reject(new Error("the key store is down")));

  const health = await createClient(Health, served.transport).check({});

  expect(health.status).toBeGreaterThan(0);
});

test("a call ends with its deadline while it waits to be admitted", async () => {
  await using served = await serving(() => new Promise(() => {}));

  const late = await sendHead(served.session, "Ask", { authorization: "Bearer reader", "grpc-timeout": "50m" });

  expect(late["grpc-status"]).toBe(String(Code.DeadlineExceeded));
});
