import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { dashboardFiles } from "../deploy/observability/source/dashboards.ts";
import { ruleGroups } from "../deploy/observability/source/rules.ts";

/**
 * Writes Prometheus' rules and Grafana's dashboards in `deploy/observability` from their sources there.
 *
 *     node tools/observability.ts [--check]
 *
 * With `--check` nothing is written, and the exit code is 1 where a file is out of date.
 */

const folder = join(import.meta.dirname, "../deploy/observability");
const files: Readonly<Record<string, string>> = {
  "prometheus/rules.yml": `# Written by \`make observability\` from ../source. Change it there.\n${stringify(ruleGroups(), { lineWidth: 0 })}`,
  ...Object.fromEntries(
    Object.entries(dashboardFiles()).map(([name, dashboard]) => [
      `dashboards/${name}`,
      `${JSON.stringify(dashboard, null, 2)}\n`,
    ]),
  ),
};

for (const [name, text] of Object.entries(files)) {
  const path = join(folder, name);
  if ((await readFile(path, "utf8").catch(() => "")) === text) {
    continue;
  }
  if (process.argv.includes("--check")) {
    console.error(`deploy/observability/${name} is out of date: run make observability`);
    process.exitCode = 1;
  } else {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    console.log(`wrote deploy/observability/${name}`);
  }
}
