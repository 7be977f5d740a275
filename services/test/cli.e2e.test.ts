import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Automation, Order_State } from "../../gen/docket/order/v1/order_pb.js";
import type { Docket } from "../../web-client/sdk/docket.ts";
import { runCli } from "./support/cli.ts";
import { stockTea, teaOrder, untilState } from "./support/shop.ts";
import { startDocket, type TestDocket } from "./support/start-docket.ts";

describe("the docket command", () => {
  let running: TestDocket;
  let docket: Docket;
  let at: { url: string; key: string };

  beforeAll(async () => {
    running = await startDocket();
    const tenant = await running.tenant("cli");
    ({ docket } = tenant);
    at = { url: running.running.httpUrl, key: tenant.key };
    await stockTea(docket, 100);
  });
  afterAll(async () => {
    await running?.[Symbol.asyncDispose]();
  });

  /** Runs a command that must succeed. @returns what it printed. */
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCli(args, at);
    expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
    return stdout;
  };
  const json = async (...args: string[]) =>
    (await run(...args, "--json"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  test("captures, refunds and voids payments", async () => {
    const manual = { capture: Automation.MANUAL, fulfillment: Automation.MANUAL };
    await docket.placeOrder(teaOrder({ ...manual, externalId: "pay", lineItems: [{ sku: "TEA", quantity: 2 }] }));
    expect(await run("payments", "list", "pay")).toMatch(
      /NAME +STATE .*\norders\/\w+\/payments\/1 +AUTHORIZED +9\.00 EUR/,
    );
    expect(await json("payments", "capture", "pay", "--amount", "5.50")).toMatchObject([{ state: "CAPTURED" }]);
    const refunded = await run("payments", "refund", "pay", "--amount", "1", "--reason", "broken");
    expect(refunded).toMatch(/refund 1 {2}1\.00 EUR {2}\w+ {2}broken/);
    expect(await run("payments", "get", "pay")).toMatch(/^captured +5\.50 EUR$/m);

    const { name } = await docket.placeOrder(teaOrder({ ...manual, externalId: "void" }));
    expect(await json("payments", "void", `${name}/payments/1`)).toMatchObject([{ state: "VOIDED" }]);
    const all = await json("payments", "list");
    expect(all.map(({ state }) => state).sort()).toEqual(["CAPTURED", "VOIDED"]);
  }, 60_000);

  test("lists and tracks shipments", async () => {
    const { name } = await docket.placeOrder(teaOrder({ externalId: "ship" }));
    await untilState(docket, name, [Order_State.COMPLETED]);
    expect(await json("shipments", "list", "ship")).toMatchObject([{ state: "DELIVERED", carrier: "sandbox" }]);
    expect(await run("shipments", "get", "ship")).toMatch(/^state +DELIVERED\n/m);
    expect(await run("shipments", "track", "ship")).toMatch(/^TIME +STATE[\s\S]* DELIVERED /);
  }, 60_000);

  test("holds and releases orders, and shows, pauses and resumes their sagas", async () => {
    const { name } = await docket.placeOrder(teaOrder({ externalId: "hold", paymentToken: "tok_action" }));
    expect(await run("orders", "hold", "hold", "--note", "call first")).toBe(`${name} is ON_HOLD\n`);
    expect(await run("orders", "release", "hold")).toBe(`${name} is AWAITING_PAYMENT\n`);

    expect(await json("sagas", "list", "--filter", `aggregate = "${name}"`)).toMatchObject([{ aggregate: name }]);
    expect(await run("sagas", "get", name)).toMatch(
      /^of +orders\/\w+\n[\s\S]*\nsteps\n {2}\S+ {2}DONE {2}attempts 1\n/m,
    );
    expect(await json("sagas", "pause", name)).toMatchObject([{ state: "PAUSED" }]);
    expect(await run("sagas", "resume", name)).toMatch(/^state +(RUNNING|WAITING)$/m);
    expect(await run("sagas", "compensate", name)).toMatch(/^state +(COMPENSATING|COMPENSATED)$/m);
    await untilState(docket, name, [Order_State.CANCELLED]);
  }, 60_000);

  test("shows statistics", async () => {
    const { name } = await docket.placeOrder(teaOrder({ externalId: "stats" }));
    await untilState(docket, name, [Order_State.COMPLETED]);
    expect(await run("stats")).toMatch(
      /^orders +\d+\n[\s\S]*COMPLETED +\d+ {2}\d+\.\d\d EUR\n[\s\S]*net revenue {2}\d+\.\d\d EUR\n$/,
    );
    expect(await json("stats", "--until", "2020-01-01")).toEqual([{}]);
  }, 60_000);

  test("says where it cannot connect, and each message once", async () => {
    const nowhere = "http://127.0.0.1:1";
    const unreached = await runCli(["orders", "list", "--url", nowhere], at);
    expect(unreached).toMatchObject({ code: 6, stdout: "" });
    expect(unreached.stderr).toMatch(
      /^docket: UNAVAILABLE: cannot reach http:\/\/127\.0\.0\.1:1: .*\n {2}Is Docket running/,
    );

    const refused = await runCli(["orders", "list", "--filter", "state = = 3"], at);
    expect(refused.code).toBe(3);
    expect(refused.stderr.match(/filter: /g)).toHaveLength(1);
  }, 60_000);
});
