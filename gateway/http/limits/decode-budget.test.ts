import { Code } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { createDecodeBudget } from "./decode-budget.ts";

test("reservations beyond the budget wait for releases, in order", async () => {
  const budget = createDecodeBudget({ maxBytes: 100 });
  const order: string[] = [];
  expect(budget.reserve(60)).toBeUndefined();
  const large = budget.reserve(80)?.then(() => order.push("large"));
  const small = budget.reserve(10)?.then(() => order.push("small"));

  budget.release(60);
  await Promise.all([large, small]);

  expect(order).toEqual(["large", "small"]);
});

test("a reservation larger than the whole budget is granted once nothing else is reserved", async () => {
  const budget = createDecodeBudget({ maxBytes: 100 });
  expect(budget.reserve(1)).toBeUndefined();
  const whole = budget.reserve(1000);

  budget.release(1);

  await expect(whole).resolves.toBeUndefined();
});

test("a reservation that times out is RESOURCE_EXHAUSTED and reserves nothing", async () => {
  const budget = createDecodeBudget({ maxBytes: 100, maxWaitMs: 1 });
  expect(budget.reserve(100)).toBeUndefined();

  await expect(budget.reserve(50)).rejects.toMatchObject({ code: Code.ResourceExhausted });
  budget.release(100);

  expect(budget.reserve(100)).toBeUndefined();
});
