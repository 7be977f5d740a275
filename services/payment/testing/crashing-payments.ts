import { startPayments } from "./running-payments.ts";

/**
 * A process to be killed: opens payments in an endless loop, refunds every third, and prints each acknowledged name.
 * Arguments: the database's URL and a prefix of its orders' names.
 */
const [databaseUrl = "", prefix = ""] = process.argv.slice(2);
const world = await startPayments(databaseUrl, { providerTimeoutMs: 300 });
const tokens = ["tok_success", "tok_duplicate", "tok_reordered"];

const openOne = async (nth: number): Promise<void> => {
  const name = `orders/${prefix}-${nth}/payments/1`;
  await world.open(name, tokens[nth % tokens.length] ?? "");
  process.stdout.write(`${name}\n`);
  if (nth % 3 === 0) {
    await world.payments.settlePayment({ name });
  }
};

for (let nth = 0; ; nth += 4) {
  await Promise.all([nth, nth + 1, nth + 2, nth + 3].map(openOne));
}
