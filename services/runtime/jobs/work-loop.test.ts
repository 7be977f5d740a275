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
