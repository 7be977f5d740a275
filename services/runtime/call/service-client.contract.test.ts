import {
  Code,
  ConnectError,
  createContextValues,
  createServiceImplSpec,
  type HandlerContext,
} from "@connectrpc/connect";
import { beforeAll, expect, test } from "@jest/globals";
import { context as otel } from "@opentelemetry/api";
import { startPropagation } from "../../../gateway/telemetry/start-telemetry.ts";
import { createAuthenticate } from "../auth/authenticate.ts";
import { createServiceTokens } from "../auth/service-tokens.ts";
import { fixed } from "../config/live.ts";
import { principalKey, principalOf, requestIdKey } from "../context-values.ts";
import { createGrpcServer } from "../grpc/server.ts";
import { createGrpcTransport } from "../grpc/transport.ts";
import { createInterceptors } from "../interceptors/interceptors.ts";
import { createLogger } from "../telemetry/log.ts";
import { contextOf, traceFields } from "../telemetry/tracing.ts";
import { systemClock } from "../values/clock.ts";
import { createServiceClient } from "./service-client.ts";
import { ProbeService } from "./testing/probe-service.ts";
import { describeEachWire } from "./testing/wires.ts";

beforeAll(startPropagation);

const secret = "0123456789abcdef0123456789abcdef";

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/** An RPC in progress, as far as a call made for it can see. */
function parentCall(timeoutMs?: number) {
  const controller = new AbortController();
  const values = createContextValues().set(requestIdKey, "parent-1");
  return { controller, values, signal: controller.signal, timeoutMs: () => timeoutMs };
}

const describeCaller = (context: HandlerContext) => {
  const { kind, tenant, subject } = principalOf(context);
  return { text: `${kind}:${tenant}:${subject}`.slice(0, 20) };
};

test("over gRPC, services prove themselves with a token for their tenant", async () => {
  const tokens = createServiceTokens({ secrets: fixed([secret]), clock: systemClock });
  const log = createLogger({ level: "silent", name: "test" });
  const authenticate = createAuthenticate({ apiKey: async () => undefined, service: tokens.verify });
  await using server = createGrpcServer({
    specs: [createServiceImplSpec<typeof ProbeService>(ProbeService, { askInternally: (_, it) => describeCaller(it) })],
    interceptors: createInterceptors({ authenticate, log, clock: systemClock }),
    log,
  });
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${port}`;
  await using trusted = createGrpcTransport({ address, interceptors: [tokens.sign] });
  const client = createServiceClient(ProbeService, trusted.transport, { subject: "order" });
  expect((await client.for("acme").askInternally({})).text).toBe("service:acme:order");
  expect((await client.for("umbrella").askInternally({})).text).toBe("service:umbrella:order".slice(0, 20));

  const forged = createServiceTokens({ secrets: fixed([secret.replace("0", "1")]), clock: systemClock });
  await using untrusted = createGrpcTransport({ address, interceptors: [forged.sign] });
  const stranger = createServiceClient(ProbeService, untrusted.transport, { subject: "order" });
  const error = await stranger
    .for("acme")
    .askInternally({})
    .catch((thrown: unknown) => thrown);
  expect(ConnectError.from(error).code).toBe(Code.Unauthenticated);
});

test("a service token lasts two minutes, by the clock of the verifier", async () => {
  let nowMs = Date.parse("2026-01-01T00:00:00Z");
  const clock = { now: () => new Date(nowMs), monotonicMs: () => nowMs };
  const tokens = createServiceTokens({ secrets: fixed([secret]), clock });
  const header = new Headers();
  const contextValues = createContextValues();
  contextValues.set(principalKey, { kind: "service", tenant: "acme", subject: "order", scopes: new Set<string>() });
  const { signal } = new AbortController();
  const pass = tokens.sign(async () => {
    throw new Error("far enough");
  });
  const request = { header, contextValues } as Parameters<typeof pass>[0];
  await pass(request).catch(() => {});
  const token = header.get("authorization")?.replace("Service ", "") ?? "";
  expect(await tokens.verify(token, signal)).toMatchObject({ kind: "service", tenant: "acme", subject: "order" });
  nowMs += 130_000;
  expect(await tokens.verify(token, signal)).toBeUndefined();
  expect(() => createServiceTokens({ secrets: fixed(["short"]), clock })).toThrow("32 bytes");
});

describeEachWire("a call for another call", (open) => {
  const withKey = { headers: { "x-api-key": "reader" } };

  test("carries its request id and trace", async () => {
    const seen: unknown[] = [];
    await using served = await open({
      implementation: {
        ask(_, { values }) {
          seen.push(values.get(requestIdKey), traceFields()["traceparent"]);
          return {};
        },
      },
    });
    const client = createServiceClient(ProbeService, served.transport, { subject: "order" });
    const call = () => client.for("acme", parentCall()).ask({}, withKey);
    await otel.with(contextOf({ traceparent }), call);
    expect(seen).toEqual(["parent-1", traceparent]);
    await client.for("acme").ask({}, withKey);
    expect(seen[2]).toMatch(/^[0-9a-z]{26}$/);
    expect(seen[3]).toBeUndefined();
  });

  test("keeps to what is left of its deadline, and to a deadline of its own without one", async () => {
    const left: (number | undefined)[] = [];
    await using served = await open({
      implementation: {
        ask(_, { timeoutMs }) {
          left.push(timeoutMs());
          return {};
        },
      },
    });
    const client = createServiceClient(ProbeService, served.transport, { subject: "order", timeoutMs: 30_000 });
    await client.for("acme", parentCall(5_000)).ask({}, withKey);
    await client.for("acme", parentCall(90_000)).ask({}, withKey);
    await client.for("acme").ask({}, { ...withKey, timeoutMs: 10_000 });
    const secondsAtMost = left.map((ms) => Math.ceil((ms ?? Number.NaN) / 5_000) * 5);
    expect(secondsAtMost).toEqual([5, 30, 10]);
  });

  test("has no time when its parent has none left", async () => {
    await using served = await open({ implementation: { ask: () => new Promise<never>(() => {}) } });
    const client = createServiceClient(ProbeService, served.transport, { subject: "order" });
    const asked = client.for("acme", parentCall(-5)).ask({}, withKey);
    expect(await asked.catch((error: unknown) => ConnectError.from(error).code)).toBe(Code.DeadlineExceeded);
  });

  test("ends when it ends", async () => {
    await using served = await open({ implementation: { ask: () => new Promise<never>(() => {}) } });
    const client = createServiceClient(ProbeService, served.transport, { subject: "order" });
    const parent = parentCall();
    const asked = client.for("acme", parent).ask({}, withKey);
    setTimeout(() => parent.controller.abort(new ConnectError("gone", Code.Canceled)), 30);
    expect(await asked.catch((error: unknown) => ConnectError.from(error).code)).toBe(Code.Canceled);
  });
});

test("in process, services are believed, and messages are never shared", async () => {
  const { createLocalTransport } = await import("./local-transport.ts");
  const { probeInterceptors } = await import("./testing/wires.ts");
  const local = createLocalTransport(probeInterceptors());
  const kept = { text: "mine", payload: new Uint8Array([1, 2, 3]) };
  const client = createServiceClient(ProbeService, local.transport, { subject: "order" });
  local.mount([
    createServiceImplSpec<typeof ProbeService>(ProbeService, {
      askInternally: (_, context) => describeCaller(context),
      ask(request) {
        request.text = "callee was here";
        request.payload.fill(9);
        return kept;
      },
    }),
  ]);
  expect((await client.for("acme").askInternally({})).text).toBe("service:acme:order");
  const request = { text: "yours", payload: new Uint8Array([4, 5, 6]) };
  const answer = await client.for("acme").ask(request);
  answer.payload.fill(7);
  expect(request).toEqual({ text: "yours", payload: new Uint8Array([4, 5, 6]) });
  expect(kept.payload).toEqual(new Uint8Array([1, 2, 3]));
  expect(() => local.mount([createServiceImplSpec(ProbeService, {})])).toThrow("mounted twice");
});
