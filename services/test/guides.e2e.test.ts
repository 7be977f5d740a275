import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { childEnvironment } from "./support/child-environment.ts";
import { startDocket, type TestDocket } from "./support/start-docket.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");

/** The code blocks of a guide in one language, in their order. Blocks of `console` are for people alone. */
async function blocks(guide: string, language: string): Promise<string[]> {
  const text = await readFile(join(root, "docs/guides", guide), "utf8");
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, code = ""]) => code);
}

/** An order whose shipment may be under way already. */
const paid = /"state":\s*"(CONFIRMED|FULFILLING|COMPLETED)"/;

describe("the guides", () => {
  let docket: TestDocket;
  let env: NodeJS.ProcessEnv;
  /** In the repository, so that packages are found. */
  let folder: string;

  beforeAll(async () => {
    docket = await startDocket({ DOCKET_SANDBOX_CARRIER_STEP: "50ms" });
    folder = await mkdtemp(join(root, ".cache/guides-"));
    const { httpUrl, grpcAddress, adminKey } = docket.running;
    env = {
      ...childEnvironment,
      PATH: `${join(root, "node_modules/.bin")}${delimiter}${childEnvironment["PATH"]}`,
      DOCKET_URL: httpUrl,
      DOCKET_GRPC: grpcAddress,
      DOCKET_API_KEY: adminKey,
    };
  });
  afterAll(async () => {
    await docket?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs the commands of a guide one after the other, and returns what each block printed. */
  const runCommands = async (guide: string) => {
    const script = (await blocks(guide, "sh")).join("\nprintf '\\n\\x1e\\n'\n");
    const { stdout } = await run("bash", ["-euo", "pipefail", "-c", script], { cwd: root, env });
    return stdout.split("\n\x1e\n");
  };
  /** Runs the program of a guide as it is written, but for where the package is. */
  const runProgram = async (guide: string) => {
    const [program = ""] = await blocks(guide, "ts");
    const source = (path: string) => pathToFileURL(join(root, path)).href;
    const file = join(folder, `${guide}.ts`);
    const text = program
      .replace('"@docket/sdk"', `"${source("web-client/sdk/index.ts")}"`)
      .replace(/"@docket\/sdk\/gen\/(.*)"/, (_, path) => `"${source(`gen/${path}.js`)}"`);
    await writeFile(file, text);
    return (await run(process.execPath, ["--disable-warning=ExperimentalWarning", file], { env })).stdout;
  };

  test("show what REST answers", async () => {
    const [item, order, again, history, list, watched, refused, key, all] = await runCommands("quick-start-rest.md");
    expect(item).toContain('"items/TEA-01"');
    expect(order).toMatch(paid);
    expect(again).toContain('"externalId":"1001"');
    expect(history).toContain("events");
    expect(history).toContain("payments/1");
    expect(list).toContain('"externalId":"1001"');
    expect(watched).toContain("resumeToken");
    expect(refused).toContain("OUT_OF_STOCK");
    expect(key).toMatch(/"key":"dk_/);
    expect(all).toContain("TEA-01");
  }, 60_000);

  test("show what gRPC answers", async () => {
    const [created, listed] = await runCommands("quick-start-grpc.md");
    expect(created).toMatch(paid);
    expect(listed).toContain("docket.order.v1.OrderService");
    expect(await runProgram("quick-start-grpc.md")).toMatch(/^orders\/\w+\n$/);
  }, 60_000);

  test("show what the SDK answers", async () => {
    const said = await runProgram("quick-start-sdk.md");
    expect(said).toMatch(/^orders\/\w+ 12\.40/);
    expect(said).toContain("FAILED_PRECONDITION OUT_OF_STOCK 8");
    expect(said).toMatch(/^orders\/\w+ 3001$/m);
  }, 60_000);
});
