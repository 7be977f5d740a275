import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { DescMethodStreaming, DescMethodUnary } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type GrpcUpstream, startGrpcUpstream } from "./test/support/grpc-upstream.ts";
import { type OtlpReceiver, startOtlpReceiver } from "./test/support/otlp-receiver.ts";
import { rawRequest } from "./test/support/raw-request.ts";
import { testDescriptorSet, until } from "./test/support/start-program.ts";
import { echoMethods, libraryMethods, testService, testSpec } from "./test/support/test-api.ts";

const main = fileURLToPath(new URL("main.ts", import.meta.url));
const { metadata, fail, wait } = testService("Echo").method as Record<string, DescMethodUnary>;
const { watchBooks } = testService("Library").method as Record<string, DescMethodStreaming>;

let upstream: GrpcUpstream;
let receiver: OtlpReceiver;
beforeAll(async () => {
  upstream = await startGrpcUpstream([testSpec("Library", libraryMethods()), testSpec("Echo", echoMethods())]);
  receiver = await startOtlpReceiver();
});
afterAll(async () => {
  await upstream[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

/** A caller's span. */
function newTrace() {
  const [trace, span] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
  return { trace, span, header: { traceparent: `00-${trace}-${span}-01`, tracestate: "caller=1" } };
}

interface Running extends Disposable {
  readonly url: string;
  readonly child: ChildProcess;
  readonly session: Http2SessionManager;
  /** The gRPC wire: `binary` messages are passed through, JSON ones are served. */
  grpc(binary: boolean): Transport;
}

async function start(environment: Record<string, string>): Promise<Running> {
  const flags = ["--descriptor-set", testDescriptorSet, "--upstream", upstream.address, "--host=127.0.0.1"];
  const child = spawn(process.execPath, ["--no-warnings", main, ...flags, "--port=0", "--ops-port=0"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: environment,
  });
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk));
  await until(() => /operations on \S+\n/.test(out));
  const [url = "", opsUrl = ""] = out.match(/http:\S+/g) ?? [];
  await until(async () => (await rawRequest(opsUrl, "/ready")).status === 200);
  const session = new Http2SessionManager(url);
  return {
    url,
    child,
    session,
    grpc: (useBinaryFormat) => createGrpcTransport({ baseUrl: url, sessionManager: session, useBinaryFormat }),
    [Symbol.dispose]: () => child.kill("SIGKILL"),
  };
}

const calls: [string, string, (program: Running, header: Record<string, string>) => Promise<unknown>][] = [
  ["REST", "connectrpc", async ({ url }, headers) => (await fetch(`${url}/metadata`, { headers })).text()],
  [
    "REST, a stream",
    "connectrpc",
    async ({ url }, headers) => (await fetch(`${url}/v1/books:watch?count=2`, { headers })).text(),
  ],
  [
    "Connect",
    "connectrpc",
    ({ url }, header) => unary(createConnectTransport({ baseUrl: url, httpVersion: "1.1" }), header),
  ],
  [
    "gRPC-Web",
    "connectrpc",
    ({ url }, header) => unary(createGrpcWebTransport({ baseUrl: url, httpVersion: "1.1" }), header),
  ],
  ["gRPC passed through", "grpc", ({ grpc }, header) => unary(grpc(true), header)],
  ["gRPC passed through, a stream", "grpc", ({ grpc }, header) => stream(grpc(true), header)],
  ["gRPC in JSON", "grpc", ({ grpc }, header) => unary(grpc(false), header)],
];

const unary = (transport: Transport, header: Record<string, string>) =>
  transport.unary(present(metadata), undefined, undefined, header, {});

async function stream(transport: Transport, header: Record<string, string>): Promise<void> {
  const request = (async function* () {
    yield { count: 2 };
  })();
  const { message } = await transport.stream(present(watchBooks), undefined, undefined, header, request);
  for await (const _ of message);
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("no such method");
  return value;
}

/** What the upstream received of the last call's trace. */
const received = () => ["traceparent", "tracestate"].map((name) => upstream.lastMetadata()?.get(name));

test("every call has one span between its caller's and the upstream's, on each wire, and none is lost at the end", async () => {
  // Nothing is sent before the end.
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: "600000" };
  using program = await start(environment);
  const made = [];
  for (const [name, system, call] of calls) {
    const caller = newTrace();
    await call(program, caller.header);
    made.push({ name, system, caller, received: received() });
  }
  const failed = newTrace();
  const failing = (code: Code) => ({ code, message: "so" });
  for (const code of [Code.NotFound, Code.Internal]) {
    const answer = program.grpc(true).unary(present(fail), undefined, undefined, failed.header, failing(code));
    await expect(answer).rejects.toMatchObject({ code });
    await fetch(`${program.url}/fail/${code}?message=so`, { headers: failed.header });
  }
  const left = newTrace();
  const before = upstream.calls();
  const leaving = new AbortController();
  const leave = program
    .grpc(true)
    .unary(present(wait), leaving.signal, undefined, left.header, { duration: { seconds: 600n } })
    .catch((error: unknown) => ConnectError.from(error).code);
  await until(() => upstream.calls() === before + 1);
  leaving.abort();
  expect(await leave).toBe(Code.Canceled);
  program.session.abort();
  program.child.kill("SIGTERM");
  expect(await once(program.child, "exit")).toEqual([0, null]);

  const spansOf = ({ trace }: { trace: string }) => receiver.spans.filter((span) => span.trace === trace);
  for (const { name, system, caller, received } of made) {
    const [span, ...others] = spansOf(caller);
    const rpc = name.includes("stream") ? "gateway.test.v1.Library/WatchBooks" : "gateway.test.v1.Echo/Metadata";
    expect([name, span, others]).toMatchObject([
      name,
      {
        service: "docket-gateway",
        name: rpc,
        parent: caller.span,
        kind: 2,
        failed: false,
        attributes: { "rpc.system.name": system, "rpc.method": rpc, "rpc.response.status_code": "OK" },
      },
      [],
    ]);
    expect([name, ...received]).toEqual([name, [`00-${caller.trace}-${span?.id}-01`], ["caller=1"]]);
  }
  const outcomes = (caller: { trace: string }) =>
    spansOf(caller).map(({ attributes, failed }) => [attributes["rpc.response.status_code"], failed]);
  expect(outcomes(failed).sort()).toEqual([
    ["INTERNAL", true],
    ["INTERNAL", true],
    ["NOT_FOUND", false],
    ["NOT_FOUND", false],
  ]);
  expect(outcomes(left)).toEqual([["CANCELLED", false]]);
}, 60_000);

test("without an exporter the caller's trace is passed on as it is", async () => {
  using program = await start({});
  const exported = receiver.spans.length;
  for (const [name, , call] of calls) {
    const { header } = newTrace();
    await call(program, header);
    expect([name, ...received()]).toEqual([name, [header.traceparent], [header.tracestate]]);
  }
  program.session.abort();
  program.child.kill("SIGTERM");
  expect(await once(program.child, "exit")).toEqual([0, null]);
  expect(receiver.spans).toHaveLength(exported);
}, 60_000);
