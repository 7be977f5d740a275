import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { platforms } from "../../deploy/function/testing/events.ts";
import { adminKey, functionCommand, functionEnvironment } from "../../deploy/function/testing/function-program.ts";
import { startInstance } from "../../deploy/function/testing/runtime-stub.ts";
import { startMariadb } from "../../services/runtime/testing/mariadb.ts";
import { addCompileCache, bundleFunction } from "../../tools/function.ts";
import { describeMachine, keepResult, option } from "../support/measure.ts";

/**
 * Starts the function on a migrated MariaDB and measures the time from the start of the process until it asks for its
 * first call (ready) and until the answer to it, from the sources, as a bundle, and as a bundle with V8's compiled code,
 * beside a client of the Runtime API that answers a constant. `--rounds`.
 */
const rounds = option("rounds", 10);

/** The least that a function can do. */
const bare = `const api = "http://" + process.env.AWS_LAMBDA_RUNTIME_API + "/2018-06-01/runtime/invocation/";
for (;;) {
  const next = await fetch(api + "next");
  await next.text();
  const id = next.headers.get("lambda-runtime-aws-request-id");
  await (await fetch(api + id + "/response", { method: "POST", body: '{"statusCode":200}' })).text();
}
`;

interface Round {
  readonly readyMs: number;
  readonly answeredMs: number;
}

async function measure(command: readonly string[], environment: Record<string, string>): Promise<Round> {
  const event = platforms[0]?.eventOf({
    ...{ method: "GET", url: "/v1/orders", body: Buffer.alloc(0), address: "192.0.2.1" },
    headers: [["authorization", `Bearer ${adminKey}`]],
  });
  const began = performance.now();
  await using instance = await startInstance(command, environment);
  while (!instance.isIdle) {
    if (instance.hasEnded) {
      throw new Error(instance.logged());
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const readyMs = performance.now() - began;
  const { text } = await instance.call(event ?? {});
  if (!text.includes('"statusCode":200')) {
    throw new Error(text);
  }
  return { readyMs, answeredMs: performance.now() - began };
}

const folder = await mkdtemp(join(tmpdir(), "docket-cold-start-"));
await using mariadb = await startMariadb();
if (mariadb === undefined) {
  throw new Error("MariaDB is not installed");
}
const environment = {
  ...functionEnvironment,
  DOCKET_DATABASE_URL: `${mariadb.url}cold`,
  DOCKET_DATA_DIR: join(folder, "data"),
  DOCKET_LOG_LEVEL: "warn",
};
const sizes = await bundleFunction(join(folder, "bundle"));
await bundleFunction(join(folder, "cached"));
await addCompileCache(join(folder, "cached"));
await writeFile(join(folder, "bare.mjs"), bare);
const variants: Record<string, readonly string[]> = {
  bare: [process.execPath, join(folder, "bare.mjs")],
  sources: functionCommand,
  bundle: [process.execPath, join(folder, "bundle/main.mjs")],
  "bundle with compiled code": [process.execPath, join(folder, "cached/main.mjs")],
};
const results: Record<string, Round[]> = Object.fromEntries(Object.keys(variants).map((name) => [name, []]));
// The first start migrates the schemas; it is not counted.
await measure(functionCommand, environment);
for (let round = 0; round < rounds; round += 1) {
  for (const [name, command] of Object.entries(variants)) {
    results[name]?.push(await measure(command, environment));
  }
}
for (const [name, found] of Object.entries(results)) {
  const of = (pick: (round: Round) => number, share: number) =>
    Math.round(found.map(pick).sort((a, b) => a - b)[Math.ceil(found.length * share) - 1] ?? 0);
  const ready = ({ readyMs }: Round) => readyMs;
  const answered = ({ answeredMs }: Round) => answeredMs;
  console.log(
    `${name}: ready p50 ${of(ready, 0.5)} ms, p95 ${of(ready, 0.95)} ms; answered p50 ${of(answered, 0.5)} ms, p95 ${of(answered, 0.95)} ms`,
  );
}
await keepResult("cold-start", { machine: await describeMachine([]), sizes, results });
await rm(folder, { recursive: true });
