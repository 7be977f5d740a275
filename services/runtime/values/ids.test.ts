import { expect, test } from "@jest/globals";
import { createIds, firstIdAt, isId } from "./ids.ts";

function clockAt(...times: number[]) {
  let last = 0;
  return {
    now: () => {
      last = times.shift() ?? last;
      return new Date(last);
    },
    monotonicMs: () => 0,
  };
}

test("ids are 26 lower-case characters that begin with the time", () => {
  const ids = createIds(clockAt(1469918176385));

  const id = ids.next();

  expect(isId(id)).toBe(true);
  expect(id.slice(0, 10)).toBe("01aryz6s41");
});

test("ids of one millisecond are ascending", () => {
  const ids = createIds(clockAt(1000));

  const made = Array.from({ length: 5000 }, () => ids.next());

  expect(made).toEqual([...made].sort());
  expect(new Set(made).size).toBe(5000);
});

test("ids stay ascending when the clock goes back", () => {
  const ids = createIds(clockAt(5000, 3000, 4000, 5001));

  const made = [ids.next(), ids.next(), ids.next(), ids.next()];

  expect(made).toEqual([...made].sort());
  expect(new Set(made).size).toBe(4);
});

test("when a millisecond's random part is used up, the next id takes the next millisecond", () => {
  const ids = createIds(clockAt(1000), (target) => target.fill(255));

  const [first = "", second = ""] = [ids.next(), ids.next()];

  expect(first.slice(10)).toBe("z".repeat(16));
  expect(second > first).toBe(true);
});

test.each(["", "01KDW6EPG0ZZZZZZZZZZZZZZZZ", "81kdw6epg0zzzzzzzzzzzzzzzz", "01kdw6epg0zzzzzzzzzzzzzzzu"])(
  "%j is no id",
  (text) => {
    expect(isId(text)).toBe(false);
  },
);

test("the first id of a moment stands between the ids before it and those from it on", () => {
  const ids = createIds(clockAt(1_469_918_176_384, 1_469_918_176_385));
  const [before, then] = [ids.next(), ids.next()];
  const first = firstIdAt(1_469_918_176_385);
  expect(before < first && first < then).toBe(true);
});
