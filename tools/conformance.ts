import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";

/**
 * Runs the official Connect conformance suite against our servers, or those whose names are given, and closes with the
 * counts. What follows `--` goes to the suite's runner.
 *
 *     node tools/conformance.ts [gateway | grpc …] [-- --run 'Basic/**' …]
 *
 * The runner is built by Go, through its module proxy, and the suite's protos are those of the same module. What is
 * made is kept in .cache/conformance; `--prepare` makes no more than that, and fails where it cannot. `--counts FILE`
 * writes the counts as jest does.
 */

const version = "v1.0.5";
const module = `connectrpc.com/conformance@${version}`;
const runnerPackage = `connectrpc.com/conformance/cmd/connectconformance@${version}`;
const cache = resolve(".cache/conformance", version);
const runner = `${cache}/connectconformance`;
const descriptorSet = `${cache}/suite.binpb`;

interface Server {
  readonly name: string;
  readonly program: string;
  readonly config: string;
}

const servers: readonly Server[] = [
  { name: "gateway", program: "gateway/test/conformance/server.ts", config: "gateway/test/conformance/config.yaml" },
  {
    name: "grpc",
    program: "services/test/conformance/grpc-server.ts",
    config: "services/test/conformance/config.yaml",
  },
];

interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** Builds what is not there yet. Answers false, having said why, where it cannot. */
async function prepare(): Promise<boolean> {
  await mkdir(cache, { recursive: true });
  const env = { ...process.env, GOBIN: cache, PATH: `${process.env["PATH"]}:/usr/local/go/bin` };
  try {
    if (!existsSync(runner)) {
      if (process.env["SETUP"] === "no") {
        console.log("skipped: SETUP=no, and the suite is not built");
        return false;
      }
      console.log(`Building the conformance suite ${version} by Go`);
      execFileSync("go", ["install", runnerPackage], { env, stdio: "inherit" });
    }
    if (!existsSync(descriptorSet)) {
      const found = JSON.parse(execFileSync("go", ["mod", "download", "-json", module], { env, encoding: "utf8" }));
      const protos = `${found.Dir}/proto`;
      execFileSync("buf", ["build", protos, "--config", '{"version":"v2"}', "-o", descriptorSet], { stdio: "inherit" });
    }
    return true;
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    console.log(`skipped: ${isMissing ? "it needs Go" : "the suite could not be built"}`);
    return false;
  }
}

async function run({ program, config }: Server, flags: readonly string[]): Promise<Counts> {
  const options = ["--mode", "server", "--conf", config, "--max-servers", "2", ...flags];
  const child = spawn(runner, [...options, "--", process.execPath, program, descriptorSet], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    process.stdout.write(text);
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(output) ?? [];
  const [, unrun = 0] = /^Another (\d+) could not be run/m.exec(output) ?? [];
  const failures = Number(failed ?? 0) + Number(unrun);
  // A runner that fails without a count, or against its count, has failed.
  const silent = failures === 0 && (code !== 0 || passed === undefined);
  return { passed: Number(passed ?? 0), failed: failures + Number(silent) };
}

async function main(): Promise<void> {
  const separator = process.argv.indexOf("--");
  const own = separator === -1 ? process.argv.length : separator;
  const { values, positionals } = parseArgs({
    args: process.argv.slice(2, own),
    options: { counts: { type: "string" }, prepare: { type: "boolean" } },
    allowPositionals: true,
  });
  const ready = await prepare();
  if (!ready || values.prepare === true) {
    process.exitCode = ready ? 0 : 1;
    return;
  }
  const lines: string[] = [];
  let numPassedTests = 0;
  let numFailedTests = 0;
  for (const server of servers.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
    console.log(`conformance of ${server.name}`);
    const start = performance.now();
    const { passed, failed } = await run(server, process.argv.slice(own + 1));
    numPassedTests += passed;
    numFailedTests += failed;
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    lines.push(`${server.name}: ${passed + failed} cases, ${passed} passed, ${failed} failed, in ${seconds} s`);
  }
  console.log(lines.join("\n"));
  if (values.counts !== undefined) {
    await writeFile(values.counts, JSON.stringify({ numPassedTests, numFailedTests }));
  }
  process.exitCode = numFailedTests > 0 || numPassedTests === 0 ? 1 : 0;
}

await main();
