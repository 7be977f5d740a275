import { describe, expect, jest, test } from "@jest/globals";
import type { Principal } from "../context-values.ts";
import type { VerifyToken } from "./authenticate.ts";
import { cacheAccepted } from "./credential-cache.ts";

const shop: Principal = { kind: "api_key", tenant: "default", subject: "shop", scopes: new Set() };
const { signal } = new AbortController();

function counting(answer: () => Principal | undefined) {
  const inner = jest.fn<VerifyToken>(async () => answer());
  const outer = cacheAccepted(inner, { ttlMs: 20 });
  return { inner, ask: (token: string) => outer(token, signal) };
}

describe("a remembered credential", () => {
  test("is asked for once within its time, and again after it", async () => {
    const { inner, ask } = counting(() => shop);
    expect(await ask("a")).toBe(shop);
    expect(await ask("a")).toBe(shop);
    expect(inner).toHaveBeenCalledTimes(1);
    await new Promise((resolve) => setTimeout(resolve, 40));
    await ask("a");
    expect(inner).toHaveBeenCalledTimes(2);
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
});
