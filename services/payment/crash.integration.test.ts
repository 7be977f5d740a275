import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { until } from "../runtime/testing/until.ts";
import { type RunningSandbox, startSandbox } from "../sandbox/testing/running-sandbox.ts";
import { startPayments } from "./testing/running-payments.ts";

const program = fileURLToPath(new URL("testing/crashing-payments.ts", import.meta.url));

/** Receiver of the sandbox's callbacks: the process that runs now. */
const receiver = { url: "http://127.0.0.1:1" };

/** Runs the program until it is killed midway; resolves with the payments that it acknowledged. */
async function runAndKill(url: string, prefix: string, sandbox: RunningSandbox, forMs: number): Promise<string[]> {
  const args = [program, url, prefix, JSON.stringify(sandbox.provider)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
    [receiver.url = ""] = output.split("\n");
  });
  const exited = once(child, "exit");
  await until(() => output.split("\n").length > 2 || child.exitCode !== null, 60_000);
  await sleep(forMs);
  child.kill("SIGKILL");
  await exited;
  return output.split("\n").slice(1, -1);
}

describeEachDatabase("payments of a process that is killed", (open) => {
  test("are all captured or refunded exactly once by the next process", async () => {
    const { url } = await open();
    await using sandbox = await startSandbox({ publicUrl: () => receiver.url, delayMs: 5 });
    const acknowledged: string[] = [];
    for (const [i, forMs] of [40, 300].entries()) {
      acknowledged.push(...(await runAndKill(url, `run${i}`, sandbox, forMs)));
    }
    expect(acknowledged.length).toBeGreaterThan(0);

    const settings = { providerSettings: { sandbox: sandbox.provider }, providerTimeoutMs: 300, reconcileAfterMs: 500 };
    await using world = await startPayments(url, settings);
    receiver.url = world.publicUrl;
    const payments = () => world.db.kysely.selectFrom("payments").selectAll().execute();
    await until(async () => {
      const all = await payments();
      return all.every((row) => row.captured === row.amount && (row.settling === 0 || row.refunded === row.amount));
    }, 60_000);

    const known = new Set((await payments()).map((row) => `orders/${row.order_id}/payments/${row.payment_id}`));
    expect(acknowledged.filter((name) => !known.has(name))).toEqual([]);
    const opened = await sandbox.db.kysely.selectFrom("payments").select("payment").execute();
    expect(opened.map((row) => row.payment).sort()).toEqual([...known].sort());
    const taken = await sandbox.db.kysely
      .selectFrom("payment_steps")
      .select("reference")
      .where("kind", "=", "captured")
      .execute();
    expect(new Set(taken.map((row) => row.reference)).size).toBe(taken.length);
    await world.audit();
  }, 180_000);
});
