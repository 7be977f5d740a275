import { create } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createContextValues,
  type StreamRequest,
  type StreamResponse,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { QuotaFailureSchema, RetryInfoSchema } from "../../../gen/google/rpc/error_details_pb.js";
import type { Credential } from "../auth/authenticate.ts";
import { ProbeSchema, ProbeService } from "../call/testing/probe-service.ts";
import { type Principal, principalKey } from "../context-values.ts";
import { reasonOf } from "../errors.ts";
import { limitFailedAuthentications } from "./failed-authentications.ts";
import { createMemoryRateLimiter, type RateLimiter } from "./rate-limiter.ts";
import { createRateLimitInterceptor, type RateLimits } from "./rate-limits.ts";
import { createSlots } from "./stream-slots.ts";

const perMinute = (limit: number) => createMemoryRateLimiter({ limit, windowSeconds: 60 });

async function refusalOf(call: Promise<unknown>): Promise<ConnectError> {
  return call.then(() => Promise.reject(new Error("it was not refused")), ConnectError.from);
}

test("an address is refused unseen after too many wrong credentials; known ones and other addresses are not", async () => {
  const looked: string[] = [];
  let limiter: RateLimiter | undefined = perMinute(3);
  const authenticate = limitFailedAuthentications(
    async ({ token }) => {
      looked.push(token);
      return token.startsWith("good")
        ? { kind: "api_key", tenant: "t", subject: token, scopes: new Set<string>() }
        : undefined;
    },
    () => limiter,
  );
  const { signal } = new AbortController();
  const attempt = (token: string, address: string) =>
    authenticate({ scheme: "bearer", token } satisfies Credential, new Headers(), signal, address);

  expect(await attempt("good-1", "2001:db8::1")).toBeDefined();
  for (const token of ["a", "b", "c"]) {
    expect(await attempt(token, "2001:db8::2")).toBeUndefined();
  }
  looked.length = 0;
  const refused = await refusalOf(attempt("good-2", "2001:db8::3"));
  expect(refused.code).toBe(Code.ResourceExhausted);
  expect(reasonOf(refused)).toBe("TOO_MANY_FAILED_AUTHENTICATIONS");
  expect(Number(refused.metadata.get("retry-after"))).toBeGreaterThan(50);
  expect(looked).toEqual([]);
  expect(await attempt("good-1", "2001:db8::3")).toBeDefined();
  expect(await attempt("good-2", "2001:db8:0:1::3")).toBeDefined();
  expect(await attempt("good-3", "")).toBeDefined();
  limiter = undefined;
  expect(await attempt("d", "2001:db8::3")).toBeUndefined();
});

const principal = (subject: string, tenant = "acme"): Principal => ({
  kind: "api_key",
  tenant,
  subject,
  scopes: new Set(),
});

function contextOf(caller: Principal | undefined, signal: AbortSignal) {
  const contextValues = createContextValues();
  contextValues.set(principalKey, caller);
  return { service: ProbeService, requestMethod: "POST", url: "", signal, header: new Headers(), contextValues };
}

function asking(limits: RateLimits) {
  const call = createRateLimitInterceptor(limits)(async (request) => {
    const { service, method } = request;
    return {
      stream: false,
      service,
      method,
      header: new Headers(),
      trailer: new Headers(),
      message: create(ProbeSchema),
    } as UnaryResponse;
  });
  const { signal } = new AbortController();
  return (caller: Principal | undefined, method: "ask" | "follow" = "ask") =>
    call({
      ...contextOf(caller, signal),
      stream: false,
      method: ProbeService.method[method],
      message: create(ProbeSchema),
    } as UnaryRequest);
}

test("requests of a key, of a tenant and to a method are each limited, with what is left in the headers", async () => {
  const method = "docket.testing.v1.ProbeService/Follow";
  const ask = asking({ perKey: perMinute(3), perTenant: perMinute(5), perMethod: new Map([[method, perMinute(1)]]) });
  const first = await ask(principal("a"));
  expect(Object.fromEntries(first.header)).toMatchObject({ "ratelimit-limit": "3", "ratelimit-remaining": "2" });
  await ask(principal("a"), "follow");
  const ofMethod = await refusalOf(ask(principal("a"), "follow"));
  expect(ofMethod.findDetails(QuotaFailureSchema)[0]?.violations[0]?.subject).toBe(`requests of this key to ${method}`);
  await ask(principal("a"));
  const ofKey = await refusalOf(ask(principal("a")));
  expect(ofKey.code).toBe(Code.ResourceExhausted);
  expect(reasonOf(ofKey)).toBe("RATE_LIMITED");
  expect(ofKey.findDetails(QuotaFailureSchema)[0]?.violations[0]?.subject).toBe("requests of this key");
  expect(ofKey.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds).toBeGreaterThan(50n);
  expect(ofKey.metadata.get("ratelimit-remaining")).toBe("0");
  await ask(principal("b"));
  await ask(principal("b"));
  const ofTenant = await refusalOf(ask(principal("c")));
  expect(ofTenant.findDetails(QuotaFailureSchema)[0]?.violations[0]?.subject).toBe("requests of this tenant");
  await ask(principal("a", "other tenant"));
});

test("a limit that changes applies at once, to what was counted before", async () => {
  let limit = 1;
  const limits = { perKey: createMemoryRateLimiter({ limit: () => limit, windowSeconds: 60 }) };
  const ask = asking(limits);
  await ask(principal("a"));
  await refusalOf(ask(principal("a")));
  limit = 4;
  const header = Object.fromEntries((await ask(principal("a"))).header);
  expect(header).toMatchObject({ "ratelimit-limit": "4", "ratelimit-remaining": "1" });
  limit = 2;
  expect((await refusalOf(ask(principal("a")))).metadata.get("ratelimit-limit")).toBe("2");

  const slots = createSlots(() => limit);
  const release = slots.take("a");
  expect([slots.take("a"), slots.take("a")]).toEqual([expect.any(Function), undefined]);
  limit = 1;
  release?.();
  expect(slots.take("a")).toBeUndefined();
});

test("our own services and open methods are not limited", async () => {
  const ask = asking({ perKey: perMinute(1), perTenant: perMinute(1) });
  for (let call = 0; call < 3; call += 1) {
    await ask(undefined);
    await ask({ ...principal("order"), kind: "service" });
  }
});

test("open streams are limited, and a slot is given back however a stream ends", async () => {
  const call = createRateLimitInterceptor({ streamsPerKey: createSlots(1), streamsPerTenant: createSlots(2) })(
    async (request) => {
      if (request.header.has("fails")) {
        throw new ConnectError("no", Code.Aborted);
      }
      const { service, method } = request;
      const message = (async function* () {
        yield create(ProbeSchema);
        yield create(ProbeSchema);
      })();
      return {
        stream: true,
        service,
        method,
        header: new Headers(),
        trailer: new Headers(),
        message,
      } as StreamResponse;
    },
  );
  const open = async (caller: Principal, signal = new AbortController().signal, header = new Headers()) => {
    const request = { ...contextOf(caller, signal), header, stream: true, method: ProbeService.method.follow };
    return (await call({
      ...request,
      message: (async function* () {})(),
    } as unknown as StreamRequest)) as StreamResponse;
  };
  const held = new AbortController();
  await open(principal("a"), held.signal);
  expect((await refusalOf(open(principal("a")))).findDetails(QuotaFailureSchema)[0]?.violations[0]?.subject).toBe(
    "open streams of this key",
  );
  await refusalOf(open(principal("b"), undefined, new Headers({ fails: "yes" })));
  const stopped = await open(principal("b"));
  expect((await refusalOf(open(principal("c")))).findDetails(QuotaFailureSchema)[0]?.violations[0]?.subject).toBe(
    "open streams of this tenant",
  );
  for await (const _ of stopped.message) {
    break;
  }
  const read = await open(principal("c"));
  await Array.fromAsync(read.message);
  held.abort();
  await open(principal("a"));
  await open(principal("c"));
});
