import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { childEnvironment } from "./support/child-environment.ts";
import { stockTea } from "./support/shop.ts";
import { startDocket, type TestDocket } from "./support/start-docket.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");

/** A user's program, which is both type-checked and run as it stands here. */
const consumer = `
import { createDocket, type Docket, DocketError, formatMoney, money } from "@docket/sdk";
import { type Order, Order_State } from "@docket/sdk/order";

const [baseUrl, apiKey] = process.argv.slice(2);
const docket: Docket = createDocket({ baseUrl, apiKey });

const tea = {
  currencyCode: "EUR",
  customer: { id: "c1" },
  shippingAddress: { recipient: "Ada", addressLines: ["1 Main St"], locality: "Berlin", regionCode: "DE" },
  lineItems: [{ sku: "TEA", quantity: 2 }],
  paymentToken: "tok_success",
};
const absent: string | undefined = process.argv[4];
const noSignal: AbortSignal | undefined = undefined;
const absentFields = { note: absent, labels: undefined, customer: { id: "c1", email: absent } };
let order: Order = await docket.placeOrder(
  { ...tea, ...absentFields, externalId: "from-the-package" },
  { requestId: absent, signal: noSignal },
);
while (order.state !== Order_State.COMPLETED) {
  order = await docket.orders.lookupOrder({ externalId: "from-the-package" }, { signal: noSignal });
}
const total: string = order.total ? formatMoney(order.total) : formatMoney(money("EUR", "0"));
let refusal = "";
try {
  await docket.placeOrder({ ...tea, lineItems: [{ sku: "TEA", quantity: 99 }] });
} catch (error) {
  if (!(error instanceof DocketError)) throw error;
  refusal = \`\${error.reason} \${error.metadata["wanted"]} of \${error.metadata["available"]}\`;
}
const imported = await docket.importOrders('{"externalId":"x"}', { contentType: "application/x-ndjson", validateOnly: true, signal: noSignal });
const failed: bigint = imported.failedCount;
console.log(JSON.stringify({ state: Order_State[order.state], total, note: order.note, refusal, failed: \`\${failed}\` }));
`;

describe("the package that npm pack makes", () => {
  let project: string;
  let docket: TestDocket;
  const env = childEnvironment;

  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), "docket-package-"));
    docket = await startDocket();
    await run("npm", ["pack", "--pack-destination", project], { cwd: join(root, "web-client/sdk"), env });
    const [tarball = ""] = (await readdir(project)).filter((name) => name.endsWith(".tgz"));
    await writeFile(join(project, "package.json"), '{ "name": "consumer", "private": true, "type": "module" }');
    await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", `./${tarball}`], { cwd: project, env });
    await writeFile(join(project, "main.ts"), consumer);
  }, 180_000);
  afterAll(async () => {
    await docket?.[Symbol.asyncDispose]();
    await rm(project, { recursive: true, force: true });
  });

  test("runs in an empty project against a Docket", async () => {
    const { docket: shop, key } = await docket.tenant("package");
    await stockTea(shop, 10);
    const { stdout } = await run(process.execPath, ["main.ts", docket.running.httpUrl, key], { cwd: project, env });
    expect(JSON.parse(stdout)).toEqual({
      state: "COMPLETED",
      total: "9.00",
      note: "",
      refusal: "OUT_OF_STOCK 99 of 8",
      failed: "1",
    });
  }, 60_000);

  test.each([
    ["strictly", []],
    ["with exact optional properties", ["--exactOptionalPropertyTypes"]],
  ])(
    "type-checks %s, its declarations included",
    async (_, flags) => {
      const tsc = join(root, "node_modules/typescript/bin/tsc");
      const base = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--lib", "es2024,dom"];
      const options = [...base, ...flags];
      await writeFile(join(project, "main.ts"), consumer);
      await writeFile(join(project, "globals.d.ts"), "declare const process: { readonly argv: string[] };");
      const check = () => run(process.execPath, [tsc, ...options, "main.ts", "globals.d.ts"], { cwd: project, env });
      await expect(check()).resolves.toMatchObject({ stdout: "" });
      const mistakes = [
        ["failed: bigint", "failed: string"],
        ["quantity: 2", 'quantity: "2"'],
      ] as const;
      for (const [correct, wrong] of mistakes) {
        await writeFile(join(project, "main.ts"), consumer.replace(correct, wrong));
        await expect(check()).rejects.toMatchObject({ stdout: expect.stringMatching(/TS2322|TS2345/) });
      }
    },
    60_000,
  );

  test("type-checks the samples of the README, exact optional properties included", async () => {
    const readme = await readFile(join(root, "README.md"), "utf8");
    const samples = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, sample = ""]) => sample);
    expect(samples.length).toBeGreaterThan(0);
    const files = samples.map((_, index) => `readme-${index}.ts`);
    for (const [index, sample] of samples.entries()) {
      await writeFile(join(project, `readme-${index}.ts`), sample);
    }
    const shape = "{ readonly env: Readonly<Record<string, string | undefined>> }";
    await writeFile(join(project, "process.d.ts"), `declare const process: ${shape};`);
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const strict = ["--strict", "--exactOptionalPropertyTypes", "--noPropertyAccessFromIndexSignature"];
    const options = ["--noEmit", ...strict, "--module", "nodenext", "--target", "es2024", "--lib", "es2024,dom"];
    const check = run(process.execPath, [tsc, ...options, ...files, "process.d.ts"], { cwd: project, env });
    await expect(check).resolves.toMatchObject({ stdout: "" });
  }, 60_000);

  test("brings the docket command", async () => {
    const { stdout } = await run(join(project, "node_modules/.bin/docket"), ["--version"], { cwd: project, env });
    expect(stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
  }, 30_000);
});
