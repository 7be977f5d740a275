import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import { childEnvironment } from "./support/child-environment.ts";
import { describeEachStorage, startDocket } from "./support/start-docket.ts";

const example = join(import.meta.dirname, "../../examples/tea-shop/main.ts");

describeEachStorage("the tea shop", (createStorage) => {
  test("sells what it has, refuses the rest, and gives back what was cancelled", async () => {
    await using storage = await createStorage();
    await using docket = await startDocket({}, storage);
    const { httpUrl, adminKey } = docket.running;
    const env = { ...childEnvironment, DOCKET_URL: httpUrl, DOCKET_ADMIN_KEY: adminKey };
    const node = ["--disable-warning=ExperimentalWarning", example];
    const { stdout } = await promisify(execFile)(process.execPath, node, { env });
    expect(stdout).toContain("8 buyers for 5 tins: 5 orders are paid");
    expect(stdout).toContain("refused with OUT_OF_STOCK, one whose payment is declined with PAYMENT_FAILED");
    expect(stdout).toContain("7 tins came in, 5 went out, 2 can be sold");
  }, 120_000);
});
