import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Builds a tool that is written in Go into `.cache`, by Go's module proxy, and runs it with what follows `--`.
 *
 *     node tools/go-tools.ts (actionlint | aws-lambda-rie | helm) [-- arguments of the tool]
 *
 * The exit code is 1, and a line says why, where the tool cannot be built or fails.
 */

const tools = {
  actionlint: { package: "github.com/rhysd/actionlint/cmd/actionlint", version: "v1.7.12" },
  "aws-lambda-rie": {
    package: "github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie",
    version: "v0.0.0-20261030222936-bef5c4ba774d",
  },
  // The first build takes minutes. Go keeps the result outside the repository, so that the next checkout takes seconds.
  helm: { package: "helm.sh/helm/v4/cmd/helm", version: "v4.3.1" },
} as const;

type Tool = keyof typeof tools;

/** A machine that compiles a tool for longer has better things to do. */
const buildTimeoutMs = 15 * 60_000;

/** Where a tool is once it is built. */
export function goTool(name: Tool): string {
  return resolve(import.meta.dirname, "../.cache/go", `${name}-${tools[name].version}`, name);
}

/** Builds a tool that is not there yet. @throws where there is no Go, and where it cannot be built in a quarter of an hour */
export function buildGoTool(name: Tool): void {
  if (existsSync(goTool(name))) {
    return;
  }
  const { package: path, version } = tools[name];
  if (process.env["SETUP"] === "no") {
    throw new Error(`SETUP=no: ${name} is not built`);
  }
  console.log(`Building ${name} ${version} by Go`);
  execFileSync("nice", ["go", "install", "-trimpath", "-ldflags=-s -w", `${path}@${version}`], {
    stdio: ["ignore", "inherit", "inherit"],
    timeout: buildTimeoutMs,
    env: {
      ...process.env,
      PATH: `${process.env["PATH"]}:/usr/local/go/bin`,
      GOBIN: dirname(goTool(name)),
      CGO_ENABLED: "0",
    },
  });
}

if (import.meta.main) {
  const [name, separator, ...args] = process.argv.slice(2);
  try {
    const path = goTool(name as Tool);
    buildGoTool(name as Tool);
    if (separator === "--") {
      execFileSync(path, args, { stdio: "inherit" });
    }
  } catch (error) {
    console.log(`${name} cannot be built or run: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
