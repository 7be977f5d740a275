import { expect, jest, test } from "@jest/globals";
import { createLogger } from "../telemetry/log.ts";
import { createWorkLoop } from "./work-loop.ts";

const log = createLogger({ level: "silent", name: "test" });

function setup(concurrency: number) {
  const waiting = new Map<string, () => void>();
  const queue: string[] = [];
  const claim = jest.fn(async (limit: number) => queue.splice(0, limit));
  const work = (item: string) => new Promise<void>((resolve) => waiting.set(item, resolve));
  const loop = createWorkLoop({ name: "test", log, claim, work, concurrency, pollMs: 5 });
  return { queue, waiting, claim, loop };
}

const soon = () => new Promise((resolve) => setTimeout(resolve, 30));

// A loop that held more than its share never yielded again: the whole process hung when many orders came at once.
test("items that are added beyond the concurrency neither stop the loop nor let it spin", async () => {
  const { queue, waiting, claim, loop } = setup(1);
  loop.start();
  loop.add("one");
  loop.add("two");
  loop.add("three");
  queue.push("four");
  await soon();
  const asked = claim.mock.calls.length;
  await soon();
  expect(claim.mock.calls.length - asked).toBeLessThan(10);
  expect(loop.room()).toBeLessThanOrEqual(0);

  for (const item of ["one", "two", "three"]) waiting.get(item)?.();
  await soon();
  expect([...waiting.keys()]).toContain("four");
  waiting.get("four")?.();
  await loop.drain();
});

test("an idle loop looks as often as it polls, and at once when it is nudged", async () => {
  const { queue, waiting, loop } = setup(2);
  loop.start();
  await soon();
  queue.push("one");
  loop.nudge();
  await soon();
  expect([...waiting.keys()]).toEqual(["one"]);
  waiting.get("one")?.();
  await loop.drain();
});

test("what is due is processed without the loop, with what it adds, and nothing is claimed after that", async () => {
  const { queue, waiting, claim, loop } = setup(2);
  queue.push("one", "two", "three");
  const due = loop.runDue(new AbortController().signal);
  await soon();
  expect([...waiting.keys()]).toEqual(["one", "two"]);
  loop.add("four");
  waiting.get("one")?.();
  waiting.get("two")?.();
  await soon();
  expect([...waiting.keys()]).toEqual(["one", "two", "four", "three"]);
  waiting.get("three")?.();
  waiting.get("four")?.();
  expect(await due).toBe(true);
  expect(await loop.runDue(new AbortController().signal)).toBe(false);
  const claims = claim.mock.calls.length;
  await soon();
  expect(claim.mock.calls.length).toBe(claims);
});

test("after the signal nothing more is claimed, and the items in progress are awaited", async () => {
  const { queue, waiting, loop } = setup(1);
  queue.push("one", "two");
  const stop = new AbortController();
  let ended = false;
  const due = loop.runDue(stop.signal).finally(() => {
    ended = true;
  });
  await soon();
  stop.abort();
  await soon();
  expect(ended).toBe(false);
  waiting.get("one")?.();
  expect(await due).toBe(true);
  expect([...waiting.keys()]).toEqual(["one"]);
  expect(queue).toEqual(["two"]);
});

test("a claim that fails is reported when the items in progress have ended", async () => {
  const { queue, waiting, claim, loop } = setup(2);
  queue.push("one");
  claim.mockImplementationOnce(async () => queue.splice(0)).mockRejectedValueOnce(new Error("no database"));
  const due = loop.runDue(new AbortController().signal);
  const failed = expect(due).rejects.toThrow("no database");
  await soon();
  waiting.get("one")?.();
  await failed;
});
