import { describe, expect, test } from "@jest/globals";
import { createLocalLevel } from "./local-level.ts";

const value = (version: number) => ({ version, value: `v${version}` });

describe("the level in a process", () => {
  test("returns a value until it expires", () => {
    const level = createLocalLevel<string>(10);
    level.put("a", level.begin(), value(1), 100);
    expect(level.get("a", 99)?.value).toBe("v1");
    expect(level.get("a", 100)).toBeUndefined();
  });

  test("drops what an invalidation makes old, and keeps what is as new", () => {
    const level = createLocalLevel<string>(10);
    level.put("a", level.begin(), value(1), 100);
    level.put("b", level.begin(), value(2), 100);
    level.invalidate("a", 2);
    level.invalidate("b", 2);
    expect(level.get("a", 0)).toBeUndefined();
    expect(level.get("b", 0)?.value).toBe("v2");
  });

  test("refuses an old value that was read before the invalidation, and accepts the new one", () => {
    const level = createLocalLevel<string>(10);
    const ticket = level.begin();
    level.invalidate("a", 2);
    level.put("a", ticket, value(1), 100);
    expect(level.get("a", 0)).toBeUndefined();
    expect(level.isCurrent("a", ticket)).toBe(false);
    level.put("a", ticket, value(2), 100);
    expect(level.get("a", 0)?.value).toBe("v2");
  });

  test("never replaces a newer value by an older one", () => {
    const level = createLocalLevel<string>(10);
    const ticket = level.begin();
    level.put("a", ticket, value(2), 100);
    level.put("a", ticket, value(1), 100);
    expect(level.get("a", 0)?.value).toBe("v2");
  });

  test("refuses everything that was read before a flush, of matching keys or not", () => {
    const level = createLocalLevel<string>(10);
    level.put("a", level.begin(), value(1), 100);
    level.put("b", level.begin(), value(1), 100);
    const ticket = level.begin();
    level.flush((key) => key === "a");
    expect(level.get("a", 0)).toBeUndefined();
    expect(level.get("b", 0)?.value).toBe("v1");
    level.put("a", ticket, value(1), 100);
    expect(level.get("a", 0)).toBeUndefined();
    level.put("a", level.begin(), value(1), 100);
    expect(level.get("a", 0)?.value).toBe("v1");
  });

  test("refuses what was read before an invalidation that it had to forget", () => {
    const level = createLocalLevel<string>(2);
    const ticket = level.begin();
    level.invalidate("a", 2);
    const later = level.begin();
    level.invalidate("b", 2);
    level.invalidate("c", 2);
    level.put("a", ticket, value(1), 100);
    expect(level.get("a", 0)).toBeUndefined();
    level.put("a", later, value(2), 100);
    expect(level.get("a", 0)?.value).toBe("v2");
  });
});
