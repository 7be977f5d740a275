import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, jest, test } from "@jest/globals";
import { createCaches } from "../cache/caches.ts";
import type { Principal } from "../context-values.ts";
import { systemClock } from "../values/clock.ts";
import type { VerifyToken } from "./authenticate.ts";
import { acceptedCredentials, cacheAccepted, credentialKey, endCredential } from "./credential-cache.ts";

const shop: Principal = { kind: "api_key", tenant: "default", subject: "shop", scopes: new Set() };
const { signal } = new AbortController();

function counting(answer: () => Principal | undefined, maxAgeMs = 20) {
  const inner = jest.fn<VerifyToken>(async () => answer());
  const cache = createCaches({ prefix: "test", clock: systemClock }).create(acceptedCredentials(undefined, maxAgeMs));
  const outer = cacheAccepted(inner, cache);
  return { inner, cache, ask: (token: string, by = signal) => outer(token, by) };
}

describe("a remembered credential", () => {
  test("is asked for once within its time, and again after it", async () => {
    const { inner, ask } = counting(() => shop);
    expect(await ask("a")).toBe(shop);
    expect(await ask("a")).toBe(shop);
    expect(inner).toHaveBeenCalledTimes(1);
    await sleep(40);
    await ask("a");
    expect(inner).toHaveBeenCalledTimes(2);
  });

  test("is asked for once by calls at the same time, of which one may end early", async () => {
    const { inner, ask } = counting(() => shop);
    const aborted = new AbortController();
    const first = ask("a", aborted.signal);
    const second = ask("a");
    aborted.abort(new Error("gone"));
    await expect(first).rejects.toThrow("gone");
    expect(await second).toBe(shop);
    expect(inner).toHaveBeenCalledTimes(1);
  });

  test("is not mistaken for another", async () => {
    const { inner, ask } = counting(() => shop);
    await ask("a");
    await ask("b");
    expect(inner).toHaveBeenCalledTimes(2);
  });

  test("is forgotten when it was refused", async () => {
    let answer: Principal | undefined;
    const { ask } = counting(() => answer);
    expect(await ask("a")).toBeUndefined();
    answer = shop;
    expect(await ask("a")).toBe(shop);
  });

  test("is forgotten at once when it ends", async () => {
    let answer: Principal | undefined = shop;
    const { ask, cache } = counting(() => answer, 60_000);
    await ask("a");
    answer = undefined;
    expect(await ask("a")).toBe(shop);
    await endCredential(cache, credentialKey("a"));
    expect(await ask("a")).toBeUndefined();
  });
});
