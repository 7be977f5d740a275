import { describe, expect, test } from "@jest/globals";
import { generateKey, hashKey, isUsable, prefixOf } from "./api-key.ts";

describe("an API key", () => {
  test("is long, recognizable and never the same twice", () => {
    const keys = Array.from({ length: 100 }, () => generateKey());
    expect(new Set(keys).size).toBe(100);
    for (const key of keys) {
      expect(key).toMatch(/^dk_[A-Za-z0-9_-]{43}$/);
      expect(key.startsWith(prefixOf(key))).toBe(true);
    }
  });

  test("is stored as a hash that does not reveal it", () => {
    const key = generateKey();
    expect(hashKey(key)).toMatch(/^[0-9a-f]{64}$/);
    expect(hashKey(key)).not.toContain(key.slice(3));
    expect(hashKey(`${key} `)).not.toBe(hashKey(key));
  });

  test("is usable until it expires or is revoked", () => {
    expect(isUsable({ expires_at: null, revoked_at: null }, 10)).toBe(true);
    expect(isUsable({ expires_at: 11, revoked_at: null }, 10)).toBe(true);
    expect(isUsable({ expires_at: 10, revoked_at: null }, 10)).toBe(false);
    expect(isUsable({ expires_at: null, revoked_at: 1 }, 10)).toBe(false);
  });
});
