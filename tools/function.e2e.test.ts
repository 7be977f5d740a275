import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { platforms } from "../deploy/function/testing/events.ts";
import { adminKey, functionEnvironment } from "../deploy/function/testing/function-program.ts";
import { startInstance } from "../deploy/function/testing/runtime-stub.ts";
import { describeMariadbStorage } from "../services/test/support/start-docket.ts";
import { sizesOf } from "./function.ts";

describeMariadbStorage("the bundle of the function", (createStorage) => {
  test("keeps to its size, and serves without the repository", async () => {
    await using stack = new AsyncDisposableStack();
    const storage = stack.use(await createStorage());
    const out = await mkdtemp(join(tmpdir(), "docket-function-"));
    stack.defer(() => rm(out, { recursive: true }));
    const tool = join(import.meta.dirname, "function.ts");
    const { status, stderr } = spawnSync(process.execPath, [tool, "--out", out, "--compile-cache"], {
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, expect.not.stringContaining("rror")]);
    const { entry, zip } = await sizesOf(out);
    expect(entry).toBeLessThan(200_000);
    expect(zip).toBeLessThan(1_200_000);
    const instance = stack.use(
      await startInstance([process.execPath, join(out, "main.mjs")], {
        ...storage.environment,
        ...functionEnvironment,
      }),
    );
    const [platform] = platforms;
    const event = platform?.eventOf({
      ...{ method: "GET", url: "/v1/orders", body: Buffer.alloc(0), address: "192.0.2.1" },
      headers: [["authorization", `Bearer ${adminKey}`]],
    });
    const { text } = await instance.call(event ?? {});
    expect(JSON.parse(text)).toMatchObject({ statusCode: 200, body: '{"orders":[],"nextPageToken":""}' });
  }, 120_000);
});
