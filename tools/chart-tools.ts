import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

/**
 * Builds what checks the chart into `.cache`: Helm by Go, and kubernetes-validate, which carries the schemas of every
 * Kubernetes version, by pip. What cannot be had is said in a line, and the exit code is 0: tests without it are skipped.
 *
 *     node tools/chart-tools.ts
 *
 * The first build of Helm compiles for minutes; Go keeps the result outside the repository for the next checkout.
 */

const helmVersion = "v4.3.1";
const validatorVersion = "1.37.0";
const root = join(import.meta.dirname, "..");

/** Where Helm is once it is built. */
export const helm = resolve(root, ".cache/helm", helmVersion, "helm");

/** Where kubernetes-validate is once it is installed. */
export const kubernetesValidate = resolve(
  root,
  ".cache/kubernetes-validate",
  validatorVersion,
  "bin/kubernetes-validate",
);

/** A machine that compiles Helm for longer has better things to do. */
const buildTimeoutMs = 15 * 60_000;

function run(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): void {
  execFileSync(command, args, {
    stdio: ["ignore", "inherit", "inherit"],
    timeout: buildTimeoutMs,
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/local/go/bin`, ...environment },
  });
}

function buildHelm(): void {
  console.log(`Building Helm ${helmVersion} by Go for the checks of the chart; the first time takes minutes`);
  const command = ["go", "install", "-trimpath", "-ldflags=-s -w", `helm.sh/helm/v4/cmd/helm@${helmVersion}`];
  run("nice", command, { GOBIN: dirname(helm), CGO_ENABLED: "0" });
}

function installValidator(): void {
  console.log(`Installing kubernetes-validate ${validatorVersion} by pip for the checks of the chart`);
  const folder = dirname(dirname(kubernetesValidate));
  run("python3", ["-m", "venv", "--clear", folder]);
  run(`${folder}/bin/pip`, ["install", "--quiet", `kubernetes-validate==${validatorVersion}`]);
}

if (import.meta.main) {
  const steps = [
    { path: helm, name: "Helm", needs: "Go 1.21 or later", make: buildHelm },
    { path: kubernetesValidate, name: "kubernetes-validate", needs: "Python 3 with venv", make: installValidator },
  ];
  for (const { path, name, needs, make } of steps.filter((step) => !existsSync(step.path))) {
    if (process.env["SETUP"] === "no") {
      console.log(`SETUP=no: ${name} is not installed, and checks of the chart with it will be skipped`);
      continue;
    }
    try {
      await mkdir(dirname(path), { recursive: true });
      make();
    } catch (error) {
      console.log(`Checks of the chart with ${name} will be skipped: it needs ${needs} (${(error as Error).message})`);
    }
  }
}
