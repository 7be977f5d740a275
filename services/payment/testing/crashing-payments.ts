import type { RunningSandbox } from "../../sandbox/testing/running-sandbox.ts";
import { startPayments } from "./running-payments.ts";

/**
 * A process to be killed: opens payments in an endless loop, refunds every third, and prints each acknowledged name.
 * The first line is the base URL of its callbacks. Arguments: the database's URL, a prefix of its orders' names, and the
 * sandbox's settings as JSON.
 */
const [databaseUrl = "", prefix = "", provider = "{}"] = process.argv.slice(2);
const providerSettings = { sandbox: JSON.parse(provider) as RunningSandbox["provider"] };
const world = await startPayments(databaseUrl, { providerSettings, providerTimeoutMs: 300 });
process.stdout.write(`${world.publicUrl}\n`);
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
