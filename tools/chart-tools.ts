import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { buildGoTool, goTool } from "./go-tools.ts";

/**
 * Builds what checks the chart into `.cache`: Helm by Go, and kubernetes-validate, which carries the schemas of every
 * Kubernetes version, by pip. What cannot be had is said in a line, and the exit code is 0: tests without it are skipped.
 *
 *     node tools/chart-tools.ts
 */

const validatorVersion = "1.37.0";
const root = join(import.meta.dirname, "..");

/** Where kubernetes-validate is once it is installed. */
export const kubernetesValidate = resolve(
  root,
  ".cache/kubernetes-validate",
  validatorVersion,
  "bin/kubernetes-validate",
);

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: ["ignore", "inherit", "inherit"] });
}

function installValidator(): void {
  console.log(`Installing kubernetes-validate ${validatorVersion} by pip for the checks of the chart`);
  const folder = dirname(dirname(kubernetesValidate));
  run("python3", ["-m", "venv", "--clear", folder]);
  run(`${folder}/bin/pip`, ["install", "--quiet", `kubernetes-validate==${validatorVersion}`]);
}

if (import.meta.main) {
  const steps = [
    { path: goTool("helm"), name: "Helm", needs: "Go 1.21 or later", make: () => buildGoTool("helm") },
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
