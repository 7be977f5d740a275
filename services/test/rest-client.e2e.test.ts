import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { childEnvironment as env } from "./support/child-environment.ts";
import { startDocket, type TestDocket } from "./support/start-docket.ts";

const run = promisify(execFile);
const modules = join(import.meta.dirname, "../../node_modules");

/** A client written with nothing but the OpenAPI document; it is type-checked and run as is. */
const consumer = `
import { ok } from "@oazapfts/runtime";
import * as docket from "./client.ts";

const [baseUrl = "", key = ""] = process.argv.slice(2);
docket.defaults.baseUrl = baseUrl;
docket.defaults.headers = { authorization: \`Bearer \${key}\` };

const item = await ok(
  docket.inventoryServiceCreateItem({
    sku: "TEA",
    title: "Green tea",
    prices: [{ currencyCode: "EUR", units: "4", nanos: 500_000_000 }],
    stockOnHand: "10",
  }),
);
const order: docket.OrderWrite = {
  externalId: "A-1",
  currencyCode: "EUR",
  customer: { id: "c1", email: "ada@example.com" },
  shippingAddress: { recipient: "Ada", addressLines: ["1 Main St"], locality: "Berlin", regionCode: "DE" },
  lineItems: [{ sku: "TEA", quantity: 2 }],
  paymentToken: "tok_success",
  fulfillment: "MANUAL",
};
const placed = await docket.orderServiceCreateOrder(order, { wait: "20s", idempotencyKey: "one" });
const { name = "", state } = await ok(Promise.resolve(placed));
const settled: boolean = state === "CONFIRMED" || state === "PLACING" || state === "AWAITING_PAYMENT";
const id = name.slice("orders/".length);
const got: docket.OrderRead = await ok(docket.orderServiceGetOrder(id));
const noted = await ok(docket.orderServiceUpdateOrder(id, { note: "ring twice" }));
const { orders = [] } = await ok(
  docket.orderServiceListOrders({ filter: 'customer.id = "c1"', orderBy: "total desc", pageSize: 5 }),
);
const cancelled = await ok(docket.orderServiceCancelOrder(id, { note: "changed my mind" }));

const missing = await docket.orderServiceGetOrder("none");
const refused = await docket.orderServiceCreateOrder({ ...order, currencyCode: "euro" });
if (missing.status !== 404 || refused.status !== 400) throw new Error("what should be refused was not");
const types: string[] = refused.data.details.map((detail) => detail["@type"]);

console.log(
  JSON.stringify({
    sku: item.sku,
    status: placed.status,
    location: placed.headers.get("location") === \`/v1/\${name}\`,
    settled,
    again: got.name === name,
    note: noted.note,
    names: orders.map((each) => each.name === name),
    total: orders[0]?.total,
    cancelled: cancelled.name === name,
    missing: missing.data.code,
    refused: [refused.data.code, ...types],
  }),
);
`;

/** What the type check must refuse: each line once. */
const mistakes = [
  'await docket.orderServiceGetOrder("a", { ifNoneMatch: 5 });',
  'await docket.orderServiceListOrders({ pageSize: "five" });',
  'await docket.orderServiceCreateOrder({ currencyCode: "EUR" });',
  'const order: docket.OrderWrite["fulfillment"] = "SOMETIMES";',
  "await docket.orderServiceGetOrder();",
];

describe("a REST client that a stock generator makes of the served document", () => {
  let project: string;
  let docket: TestDocket;

  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), "docket-rest-client-"));
    docket = await startDocket();
    await symlink(modules, join(project, "node_modules"));
    await writeFile(join(project, "package.json"), '{ "name": "consumer", "private": true, "type": "module" }');
    const document = await fetch(`${docket.running.httpUrl}/openapi.json`);
    await writeFile(join(project, "openapi.json"), await document.text());
    const generator = join(modules, "oazapfts/dist/cli.js");
    await run(process.execPath, [generator, "openapi.json", "client.ts"], { cwd: project, env });
    await writeFile(join(project, "main.ts"), consumer);
    await writeFile(join(project, "globals.d.ts"), "declare const process: { readonly argv: string[] };");
  }, 120_000);
  afterAll(async () => {
    await docket?.[Symbol.asyncDispose]();
    await rm(project, { recursive: true, force: true });
  });

  const check = (...files: string[]) => {
    const tsc = join(modules, "typescript/bin/tsc");
    const options = ["--noEmit", "--strict", "--noUncheckedIndexedAccess", "--allowImportingTsExtensions"];
    const target = ["--module", "nodenext", "--target", "es2024", "--lib", "es2024,dom,dom.iterable", "--types", ""];
    return run(process.execPath, [tsc, ...options, ...target, "globals.d.ts", ...files], { cwd: project, env });
  };

  test("places, reads, changes and lists orders, and meets typed errors", async () => {
    const { key } = await docket.tenant("rest-client");
    const { stdout } = await run(process.execPath, ["main.ts", docket.running.httpUrl, key], { cwd: project, env });
    expect(JSON.parse(stdout)).toEqual({
      sku: "TEA",
      status: 201,
      location: true,
      settled: true,
      again: true,
      note: "ring twice",
      names: [true],
      total: { currencyCode: "EUR", units: "9", nanos: 0 },
      cancelled: true,
      missing: 5,
      refused: [3, ...["ErrorInfo", "BadRequest"].map((name) => `type.googleapis.com/google.rpc.${name}`)],
    });
  });

  test("type-checks strictly and knows no any where the document knows a type", async () => {
    await expect(check("main.ts")).resolves.toMatchObject({ stdout: "" });
    const client = await readFile(join(project, "client.ts"), "utf8");
    // Error details are open objects: theirs is the only one.
    const code = client.replaceAll(/\/\*.*?\*\//gs, "");
    expect(code.match(/\bany\b/g)).toHaveLength(1);
  }, 120_000);

  test("refuses what the document refuses when it is compiled", async () => {
    const text = ['import * as docket from "./client.ts";', ...mistakes, ""].join("\n");
    await writeFile(join(project, "mistakes.ts"), text);
    const failure = await check("mistakes.ts").catch((error: { stdout: string }) => error);
    const lines = [...failure.stdout.matchAll(/mistakes\.ts\((\d+),/g)].map(([, line]) => Number(line));
    expect([...new Set(lines)]).toEqual(mistakes.map((_, index) => index + 2));
  }, 120_000);
});
