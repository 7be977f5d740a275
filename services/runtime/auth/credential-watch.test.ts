import { Code } from "@connectrpc/connect";
import { describe, expect, jest, test } from "@jest/globals";
import type { Principal } from "../context-values.ts";
import { until } from "../testing/until.ts";
import type { Authenticate, Credential } from "./authenticate.ts";
import { createCredentialWatch } from "./credential-watch.ts";

const key: Credential = { scheme: "bearer", token: "dk_1" };
const shop: Principal = { kind: "api_key", tenant: "acme", subject: "apiKeys/1", scopes: new Set() };

/** A watch over one key, the state of the key store, and the process's time. */
function watching({ unreachableMs = 1000 } = {}) {
  const store: { found: Principal | undefined; failure: Error | undefined; ms: number } = {
    found: shop,
    failure: undefined,
    ms: 0,
  };
  const authenticate = jest.fn<Authenticate>(async () => {
    if (store.failure !== undefined) {
      throw store.failure;
    }
    return store.found;
  });
  const clock = { now: () => new Date(store.ms), monotonicMs: () => store.ms };
  const watch = createCredentialWatch({ authenticate, clock, recheckMs: 5, unreachableMs });
  const begin = (principal = shop) => {
    const call = new AbortController();
    return { ended: watch(key, principal, call.signal), end: () => call.abort() };
  };
  return { store, authenticate, begin };
}

describe("a call that outlives", () => {
  test("a revoked key ends with UNAUTHENTICATED, as does every other call with the key", async () => {
    const { store, begin } = watching();
    const calls = [begin(), begin()];
    store.found = undefined;
    await until(() => calls.every(({ ended }) => ended.aborted));
    expect(calls[0]?.ended.reason).toMatchObject({ code: Code.Unauthenticated });
  });

  test("the expiry of its token ends with UNAUTHENTICATED, without a lookup", async () => {
    const { store, authenticate, begin } = watching();
    const call = begin({ ...shop, kind: "jwt", expiresAt: 20 });
    expect(call.ended.aborted).toBe(false);
    store.ms = 20;
    await until(() => call.ended.aborted);
    expect(call.ended.reason).toMatchObject({ code: Code.Unauthenticated });
    expect(authenticate).not.toHaveBeenCalled();
  });

  test("the key store survives a failed lookup, but not for long", async () => {
    const { store, authenticate, begin } = watching();
    const call = begin();
    store.failure = new Error("the key store is down");
    store.ms = 999;
    await until(() => authenticate.mock.calls.length >= 3);
    expect(call.ended.aborted).toBe(false);
    store.ms = 1000;
    await until(() => call.ended.aborted);
  });
});

test("a key is looked up once for all its calls, and no longer after the last one has ended", async () => {
  const { authenticate, begin } = watching();
  const calls = Array.from({ length: 100 }, () => begin());
  await until(() => authenticate.mock.calls.length >= 2);
  expect(authenticate.mock.calls.length).toBeLessThan(100);
  for (const { end } of calls) {
    end();
  }
  const before = authenticate.mock.calls.length;
  const another = begin({ ...shop, kind: "jwt", expiresAt: 0 });
  await until(() => another.ended.aborted);
  expect(authenticate.mock.calls.length).toBe(before);
});
