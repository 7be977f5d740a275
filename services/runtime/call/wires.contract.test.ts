import { create } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createClient,
  createContextKey,
  createContextValues,
  type Interceptor,
} from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTelemetry, type Telemetry } from "../../../gateway/telemetry/start-telemetry.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
} from "../../../gen/google/rpc/error_details_pb.js";
import { principalOf, requestIdKey } from "../context-values.ts";
import { failedPrecondition } from "../errors.ts";
import { until } from "../testing/until.ts";
import { ProbeSchema, ProbeService } from "./testing/probe-service.ts";
import { describeEachWire, probeInterceptors, type WireSetup } from "./testing/wires.ts";

let telemetry: Telemetry;
beforeAll(async () => {
  telemetry = await startTelemetry({ serviceName: "test", environment: {} });
});
afterAll(() => telemetry.shutdown());

const headers = { authorization: "Bearer reader" };
const asReader = { headers };

async function failureOf(promise: Promise<unknown>): Promise<ConnectError> {
  const error = await promise.then(
    () => new Error("it did not fail"),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ConnectError)) {
    throw error;
  }
  return error;
}

const never = () => new Promise<never>(() => {});
async function* texts(...all: string[]) {
  for (const text of all) {
    yield { text };
  }
}

const collected = async (messages: AsyncIterable<{ text: string }>) => {
  const all: string[] = [];
  for await (const { text } of messages) {
    all.push(text);
  }
  return all;
};

describeEachWire("an RPC", (open, wire) => {
  const serving = async (implementation: WireSetup["implementation"], interceptors?: Interceptor[]) => {
    const opened = await open({ implementation, ...(interceptors && { interceptors }) });
    return Object.assign(opened, { client: createClient(ProbeService, opened.transport) });
  };

  test("of each kind brings its messages there and back", async () => {
    await using served = await serving({
      ask: ({ text, count, payload }) => ({ text: text.toUpperCase(), count: count + 1, payload }),
      async *follow({ text, count }) {
        for (let i = 0; i < count; i++) {
          yield { text, count: i };
        }
      },
      async collect(probes) {
        return { text: (await collected(probes)).join("+") };
      },
      async *converse(probes) {
        for await (const { text } of probes) {
          yield { text: `${text}!` };
        }
      },
    });
    const { client } = served;
    const payload = new Uint8Array([0, 255, 7]);
    expect(await client.ask({ text: "hey", count: 1, payload }, asReader)).toEqual(
      create(ProbeSchema, { text: "HEY", count: 2, payload }),
    );
    expect(await collected(client.follow({ text: "x", count: 40 }, asReader))).toHaveLength(40);
    expect((await client.collect(texts("a", "b", "c"), asReader)).text).toBe("a+b+c");
    expect((await client.collect(texts(), asReader)).text).toBe("");
    expect(await collected(client.converse(texts("a", "b"), asReader))).toEqual(["a!", "b!"]);
  });

  test("of kind bidi answers each request before the next is sent", async () => {
    await using served = await serving({
      async *converse(probes) {
        for await (const { text } of probes) {
          yield { text: `${text}!` };
        }
      },
    });
    const heard: string[] = [];
    async function* turns() {
      yield { text: "1" };
      await until(() => heard.length === 1);
      yield { text: "2" };
      await until(() => heard.length === 2);
    }
    for await (const { text } of served.client.converse(turns(), asReader)) {
      heard.push(text);
    }
    expect(heard).toEqual(["1!", "2!"]);
  });

  test("carries headers and trailers both ways, binary ones too", async () => {
    await using served = await serving({
      ask(_, context) {
        context.responseHeader.set("x-seen", context.requestHeader.get("x-sent") ?? "");
        context.responseHeader.set("x-bytes-bin", context.requestHeader.get("x-bytes-bin") ?? "");
        context.responseTrailer.set("x-after", "bye");
        return {};
      },
    });
    const seen: Record<string, string | null> = {};
    await served.client.ask(
      {},
      {
        headers: { ...headers, "x-sent": "one, two", "x-bytes-bin": "AP8H" },
        onHeader: (header) => Object.assign(seen, { header: header.get("x-seen"), bytes: header.get("x-bytes-bin") }),
        onTrailer: (trailer) => Object.assign(seen, { trailer: trailer.get("x-after") }),
      },
    );
    expect(seen).toEqual({ header: "one, two", bytes: "AP8H", trailer: "bye" });
  });

  test("that fails brings code, message, every detail and metadata", async () => {
    await using served = await serving({
      ask() {
        const error = failedPrecondition(
          "OUT_OF_STOCK",
          "“écrou” is sold out\nfor good",
          [{ type: "STOCK", subject: "items/1", description: "wanted 2, available 1" }],
          { sku: "1" },
        );
        error.metadata.set("x-hint", "later");
        throw error;
      },
    });
    const error = await failureOf(served.client.ask({}, asReader));
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toBe("“écrou” is sold out\nfor good");
    expect(error.metadata.get("x-hint")).toBe("later");
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
      { reason: "OUT_OF_STOCK", domain: "docket", metadata: { sku: "1" } },
    ]);
    expect(error.findDetails(PreconditionFailureSchema)[0]?.violations[0]).toMatchObject({ subject: "items/1" });
    expect(error.details.every((detail) => "type" in detail)).toBe(true);
  });

  test("that fails in mid-stream brings what came before, then the error", async () => {
    await using served = await serving({
      async *follow() {
        yield { text: "first" };
        throw failedPrecondition("BROKEN", "the source dried up", []);
      },
    });
    const heard: string[] = [];
    const read = async () => {
      for await (const { text } of served.client.follow({}, asReader)) {
        heard.push(text);
      }
    };
    const error = await failureOf(read());
    expect(heard).toEqual(["first"]);
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe("BROKEN");
  });

  test("whose handler has a bug is INTERNAL with a request id and nothing else", async () => {
    const { interceptors, lines } = probeInterceptors();
    await using served = await serving(
      {
        ask() {
          throw new TypeError("secret table name");
        },
      },
      interceptors,
    );
    const error = await failureOf(served.client.ask({}, { headers: { ...headers, "x-request-id": "r-1" } }));
    expect(error.code).toBe(Code.Internal);
    expect(JSON.stringify([error.rawMessage, error.findDetails(ErrorInfoSchema)])).not.toContain("secret");
    expect(error.cause).toBeUndefined();
    expect(error.findDetails(ErrorInfoSchema)[0]?.metadata).toEqual({ request_id: "r-1" });
    expect(error.metadata.get("x-request-id")).toBe("r-1");
    expect(lines).toMatchObject([
      { level: "error", code: "INTERNAL", request_id: "r-1", err: { type: "TypeError", message: "secret table name" } },
    ]);
  });

  test("gets an ErrorInfo from the code where the handler gave none", async () => {
    await using served = await serving({
      ask() {
        throw new ConnectError("no", Code.OutOfRange);
      },
    });
    const error = await failureOf(served.client.ask({}, asReader));
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "OUT_OF_RANGE", domain: "docket" }]);
  });

  test("is refused with every violation at once, by proto names", async () => {
    await using served = await serving({ ask: () => ({}) });
    const request = { text: "x".repeat(21), count: -1, kind: 7 };
    const error = await failureOf(served.client.ask(request, asReader));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(
      error
        .findDetails(BadRequestSchema)[0]
        ?.fieldViolations.map(({ field }) => field)
        .sort(),
    ).toEqual(["count", "kind", "text"]);
  });

  test("is refused at the first invalid message of a stream", async () => {
    const seen: string[] = [];
    await using served = await serving({
      async collect(probes) {
        for await (const { text } of probes) {
          seen.push(text);
        }
        return {};
      },
    });
    const error = await failureOf(served.client.collect(texts("fine", "x".repeat(21), "never"), asReader));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations).toMatchObject([{ field: "text" }]);
    expect(seen).toEqual(["fine"]);
  });

  test("ends with its deadline though the handler forgets its signal", async () => {
    await using served = await serving({ ask: never });
    const error = await failureOf(served.client.ask({}, { ...asReader, timeoutMs: 80 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
  });

  test("tells the handler what is left of its deadline, and aborts its signal then", async () => {
    let left: number | undefined;
    let reason: unknown;
    await using served = await serving({
      async ask(_, context) {
        left = context.timeoutMs();
        await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
        reason = context.signal.reason;
        throw reason;
      },
    });
    const error = await failureOf(served.client.ask({}, { ...asReader, timeoutMs: 3000 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(3000);
    await until(() => reason !== undefined);
    // A client that gives up at its deadline cancels, and the server may hear of that first.
    expect([Code.DeadlineExceeded, Code.Canceled]).toContain(ConnectError.from(reason).code);
  });

  test("that is over before it begins does not reach its handler", async () => {
    let reached = 0;
    await using served = await serving({
      ask() {
        reached += 1;
        return {};
      },
      async *follow() {
        reached += 1;
        yield {};
      },
    });
    const { client } = served;
    const cancelled = { ...asReader, signal: AbortSignal.abort() };
    expect((await failureOf(client.ask({}, cancelled))).code).toBe(Code.Canceled);
    expect((await failureOf(collected(client.follow({}, cancelled)))).code).toBe(Code.Canceled);
    expect(reached).toBe(0);
  });

  test("with a timeout of zero has none", async () => {
    let left: number | undefined = -1;
    await using served = await serving({
      ask(_, { timeoutMs }) {
        left = timeoutMs();
        return {};
      },
    });
    await served.client.ask({}, { ...asReader, timeoutMs: 0 });
    expect(left).toBeUndefined();
  });

  test("ends a stream with its deadline though the handler sleeps between two messages", async () => {
    await using served = await serving({
      async *follow() {
        yield { text: "one" };
        await never();
      },
    });
    const heard: string[] = [];
    const read = async () => {
      for await (const { text } of served.client.follow({}, { ...asReader, timeoutMs: 1500 })) {
        heard.push(text);
      }
    };
    expect((await failureOf(read())).code).toBe(Code.DeadlineExceeded);
    expect(heard).toEqual(["one"]);
  });

  test("aborts the handler's signal when the caller cancels", async () => {
    let begun = false;
    let aborted = false;
    await using served = await serving({
      ask(_, { signal }) {
        begun = true;
        signal.addEventListener("abort", () => {
          aborted = true;
        });
        return never();
      },
    });
    const controller = new AbortController();
    const call = failureOf(served.client.ask({}, { ...asReader, signal: controller.signal }));
    await until(() => begun);
    controller.abort();
    expect((await call).code).toBe(Code.Canceled);
    await until(() => aborted);
  });

  test("aborts a stream's signal when the caller cancels, and its requests end", async () => {
    let begun = false;
    let ended = false;
    await using served = await serving({
      async *converse(probes) {
        try {
          for await (const probe of probes) {
            begun = true;
            yield probe;
          }
        } finally {
          ended = true;
        }
      },
    });
    const controller = new AbortController();
    async function* forever() {
      yield { text: "1" };
      await never();
    }
    const read = collected(served.client.converse(forever(), { ...asReader, signal: controller.signal }));
    const call = failureOf(read);
    await until(() => begun);
    controller.abort();
    expect((await call).code).toBe(Code.Canceled);
    await until(() => ended);
  });

  test("aborts the handler's signal when it has answered", async () => {
    let signal: AbortSignal | undefined;
    await using served = await serving({
      ask(_, context) {
        signal = context.signal;
        return {};
      },
    });
    await served.client.ask({}, asReader);
    await until(() => signal?.aborted === true);
  });

  test("runs each interceptor once, in order, with the context between them", async () => {
    const trail: string[] = [];
    const key = createContextKey<string>("", { description: "test" });
    const mark =
      (name: string): Interceptor =>
      (next) =>
      async (request) => {
        trail.push(`${name} in`);
        request.contextValues.set(key, request.contextValues.get(key) + name);
        const response = await next(request);
        trail.push(`${name} out`);
        return response;
      };
    await using served = await serving(
      {
        ask: (_, { values }) => ({ text: values.get(key) }),
        async *follow(_, { values }) {
          yield { text: values.get(key) };
        },
      },
      [mark("a"), mark("b"), mark("c")],
    );
    expect((await served.client.ask({})).text).toBe("abc");
    expect(trail).toEqual(["a in", "b in", "c in", "c out", "b out", "a out"]);
    expect(await collected(served.client.follow({}))).toEqual(["abc"]);
    expect(trail).toHaveLength(12);
  });

  test("knows its caller, and gives away nothing to a caller it does not know", async () => {
    await using served = await serving({
      ask: (_, context) => ({ text: `${principalOf(context).tenant}/${principalOf(context).subject}` }),
      askOpenly: () => ({ text: "open" }),
      askInternally: () => ({ text: "inside" }),
      askUndeclared: () => ({ text: "oops" }),
    });
    const { client } = served;
    const as = (key: string) => ({ headers: { "x-api-key": key } });
    expect((await client.ask({}, asReader)).text).toBe("acme/reader");
    expect((await client.ask({}, as("admin"))).text).toBe("acme/admin");
    expect((await client.askOpenly({})).text).toBe("open");

    const codes = {
      none: await failureOf(client.ask({})),
      unknown: await failureOf(client.ask({}, as("guess"))),
      basic: await failureOf(client.ask({}, { headers: { authorization: "Basic reader" } })),
      invalidToo: await failureOf(client.ask({ count: -1 })),
      nobody: await failureOf(client.ask({}, as("nobody"))),
      internal: await failureOf(client.askInternally({}, as("admin"))),
      undeclared: await failureOf(client.askUndeclared({}, as("admin"))),
      down: await failureOf(client.ask({}, as("down"))),
    };
    expect(Object.fromEntries(Object.entries(codes).map(([name, { code }]) => [name, Code[code]]))).toEqual({
      none: "Unauthenticated",
      unknown: "Unauthenticated",
      basic: "Unauthenticated",
      invalidToo: "Unauthenticated",
      nobody: "PermissionDenied",
      internal: "PermissionDenied",
      undeclared: "PermissionDenied",
      down: "Internal",
    });
    expect(codes.none.rawMessage).toBe(codes.unknown.rawMessage);
    expect(codes.nobody.rawMessage).toBe("the credential lacks the scope probes.read or probes.write");
    expect(codes.nobody.findDetails(ErrorInfoSchema)[0]?.metadata).toEqual({
      missing_scopes: "probes.read,probes.write",
    });
    expect(codes.internal.findDetails(ErrorInfoSchema)[0]?.metadata).toEqual({});
  });

  test("that streams ends with UNAUTHENTICATED when its key is revoked, though the handler forgets its signal", async () => {
    let revoked = false;
    const begun = new Set<string>();
    const { interceptors } = probeInterceptors(async ({ token }) =>
      revoked ? undefined : { kind: "api_key", tenant: "acme", subject: token, scopes: new Set(["probes.read"]) },
    );
    const ended: string[] = [];
    const wait = async (kind: string, signal: AbortSignal) => {
      begun.add(kind);
      signal.addEventListener("abort", () => ended.push(kind));
      await never();
    };
    await using served = await serving(
      {
        async *follow(_, { signal }) {
          yield { text: "one" };
          await wait("follow", signal);
        },
        async collect(probes, { signal }) {
          for await (const _ of probes) {
            await wait("collect", signal);
          }
          return {};
        },
        async *converse(probes, { signal }) {
          for await (const probe of probes) {
            yield probe;
            await wait("converse", signal);
          }
        },
      },
      interceptors,
    );
    async function* open() {
      yield { text: "1" };
      await never();
    }
    const { client } = served;
    const calls = Promise.all([
      failureOf(collected(client.follow({}, asReader))),
      failureOf(client.collect(open(), asReader)),
      failureOf(collected(client.converse(open(), asReader))),
    ]);
    await until(() => begun.size === 3);
    revoked = true;
    for (const error of await calls) {
      expect(error.code).toBe(Code.Unauthenticated);
      expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe("CREDENTIAL_ENDED");
    }
    await until(() => ended.length === 3);
  });

  test("keeps a well-formed request id, replaces another, and logs one line", async () => {
    const { interceptors, lines } = probeInterceptors();
    const counted = async () => {
      const series = `rpc_server_call_duration_seconds_count{rpc_system_name="${wire}",rpc_method="docket.testing.v1.ProbeService/Ask",rpc_response_status_code="OK"} `;
      const line = (await telemetry.metrics.read()).split("\n").find((text) => text.startsWith(series));
      return Number(line?.slice(series.length) ?? 0);
    };
    const before = await counted();
    await using served = await serving(
      { ask: (_, { values }) => ({ text: values.get(requestIdKey).slice(0, 20) }) },
      interceptors,
    );
    const ids: (string | null)[] = [];
    const onHeader = (header: Headers) => void ids.push(header.get("x-request-id"));
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const given = { ...headers, "x-request-id": "abc-1", traceparent };
    expect((await served.client.ask({}, { headers: given, onHeader })).text).toBe("abc-1");
    await served.client.ask({}, { headers: { ...headers, "x-request-id": "<script>" }, onHeader });
    expect(ids[0]).toBe("abc-1");
    expect(ids[1]).toMatch(/^[0-9a-z]{26}$/);
    expect(lines).toMatchObject([
      {
        // A busy process calls itself more often than anybody else does.
        level: wire === "local" ? "debug" : "info",
        rpc: "docket.testing.v1.ProbeService/Ask",
        wire,
        code: "OK",
        request_id: "abc-1",
        tenant: "acme",
        subject: "reader",
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
      },
      { code: "OK", request_id: ids[1] },
    ]);
    expect((await counted()) - before).toBe(2);
    expect(await telemetry.metrics.read()).toContain(
      'rpc_server_active_calls{rpc_method="docket.testing.v1.ProbeService/Ask"} 0',
    );
  });

  test("that is not implemented is UNIMPLEMENTED", async () => {
    await using served = await serving({});
    expect((await failureOf(served.client.ask({}, asReader))).code).toBe(Code.Unimplemented);
    expect((await failureOf(collected(served.client.follow({}, asReader)))).code).toBe(Code.Unimplemented);
  });

  test("believes context values only from its own process", async () => {
    await using served = await serving({ askInternally: (_, context) => ({ text: principalOf(context).subject }) });
    const { principalKey } = await import("../context-values.ts");
    const contextValues = createContextValues().set(principalKey, {
      kind: "service",
      tenant: "acme",
      subject: "ledger",
      scopes: new Set<string>(),
    });
    const call = served.client.askInternally({}, { contextValues });
    if (wire === "local") {
      expect((await call).text).toBe("ledger");
    } else {
      expect((await failureOf(call)).code).toBe(Code.Unauthenticated);
    }
  });
});
