import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "@jest/globals";
import { readHostConfig } from "../../services/host/config.ts";
import { kubernetesValidate } from "../../tools/chart-tools.ts";
import { podViolations } from "./testing/pod-policy.ts";
import { chart, helm, manifestsOf, settingsOf, template, valuesFiles, workloadsOf } from "./testing/render.ts";

const run = promisify(execFile);
const describeWith = (program: string, name: string, title: string) =>
  existsSync(program)
    ? ([describe, title] as const)
    : ([describe.skip, `${title} (skipped: there is no ${name})`] as const);

const [describeHelm, helmTitle] = describeWith(helm, "Helm", "the chart");
describeHelm(helmTitle, () => {
  test.each(valuesFiles("good"))("passes the strict linter with $name values", async ({ path }) => {
    const { stdout } = await run(helm, ["lint", "--strict", chart, "--values", path]);
    expect(stdout).toContain("0 chart(s) failed");
  });

  test.each(valuesFiles("good"))("makes restricted pods with $name values", async ({ path }) => {
    const manifests = manifestsOf(await template("--values", path));
    expect(manifests.length).toBeGreaterThan(5);
    expect(manifests.flatMap(podViolations)).toEqual([]);
  });

  test.each(valuesFiles("good"))("sets what the program understands with $name values", async ({ path }) => {
    const manifests = manifestsOf(await template("--values", path));
    const workloads = workloadsOf(manifests);
    expect(workloads.length).toBeGreaterThan(0);
    for (const { name, pod } of workloads) {
      const { config, secretFiles } = settingsOf(name, manifests);
      const items = (pod.volumes ?? []).flatMap(({ name: volume, secret }) =>
        (secret?.items ?? []).map(({ path }) => `/run/docket/${volume}/${path}`),
      );
      const folders = (pod.containers?.[0]?.volumeMounts ?? []).map(({ name: volume, mountPath }) => [
        mountPath,
        volume,
      ]);
      expect(items.sort()).toEqual([...secretFiles].sort());
      expect(folders).toEqual(expect.arrayContaining(items.map((file) => [dirname(file), basename(dirname(file))])));
      expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(config.drainBudgetMs / 1000 + 5);
      expect(config.drainWindowMs * 2).toBeLessThanOrEqual(config.drainBudgetMs);
    }
  });

  test("asks the program for nothing that it does not set, and names large numbers in full", async () => {
    const production = join(chart, "testing/good/production.yaml");
    const { data = {} } =
      manifestsOf(await template("--values", production)).find(({ kind }) => kind === "ConfigMap") ?? {};
    const config = readHostConfig({ ...data, DOCKET_ADMIN_KEY_FILE: undefined });
    expect(config).toMatchObject({
      maxBufferedBytes: 134_217_728,
      docs: false,
      logLevel: "warn",
      drainBudgetMs: 40_000,
    });
  });

  test.each(valuesFiles("bad"))("refuses $name and says what to do", async ({ path }) => {
    const [, message = "?"] = /^# refused: (.*)$/m.exec(readFileSync(path, "utf8")) ?? [];
    await expect(template("--values", path)).rejects.toThrow(message);
  });

  test.each([
    ["minimal", ["rollout status statefulset/docket", "work inside the pod only"]],
    ["distributed", ["7 Deployments", "rollout status deployment/docket-gateway", "redis.existingSecret is not set"]],
  ])("says in its notes how to make a first call with %s values", async (name, expected) => {
    const values = join(chart, `testing/good/${name}.yaml`);
    const { stdout } = await run(helm, ["install", "docket", chart, "--dry-run=client", "--values", values]);
    const notes = stdout.slice(stdout.indexOf("NOTES:"));
    for (const text of [...expected, "http://127.0.0.1:8080/v1/orders", "`helm test docket --namespace default`"]) {
      expect(notes).toContain(text);
    }
  });

  test("renders the same bytes each time", async () => {
    for (const { path } of valuesFiles("good")) {
      expect(await template("--values", path)).toBe(await template("--values", path));
    }
  });

  test("has nothing of its tests in the package", async () => {
    const folder = await mkdtemp(join(tmpdir(), "docket-chart-"));
    const { stdout } = await run(helm, ["package", chart, "--destination", folder]);
    const archive = stdout.trim().split(": ").at(-1) ?? "";
    const { stdout: names } = await run("tar", ["-tzf", archive]);
    expect(names).toContain("docket/values.schema.json");
    expect(names).not.toMatch(/testing|\.ts$/m);
    await rm(folder, { recursive: true });
  });
});

const hasBoth = existsSync(helm) && existsSync(kubernetesValidate);
const [describeSchemas, schemasTitle] = describeWith(
  hasBoth ? helm : "",
  existsSync(helm) ? "kubernetes-validate" : "Helm",
  "the manifests",
);
describeSchemas(schemasTitle, () => {
  /** Of these only the API server that has them knows the schema. */
  const extensions = /^apiVersion: (monitoring\.coreos\.com|gateway\.networking\.k8s\.io)\//m;

  const validate = async (version: string, text: string) => {
    const folder = await mkdtemp(join(tmpdir(), "docket-manifests-"));
    const file = join(folder, "manifests.yaml");
    await writeFile(file, text);
    try {
      return (await run(kubernetesValidate, ["--strict", "--kubernetes-version", version, file])).stdout;
    } finally {
      await rm(folder, { recursive: true });
    }
  };

  const versions = ["1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37"];
  test.each(versions)("fit the schemas of Kubernetes %s", async (version) => {
    for (const { path } of valuesFiles("good")) {
      const documents = (await template("--values", path)).split(/^---$/m).filter((text) => !extensions.test(text));
      const text = documents.join("---\n");
      const workload = text.includes("kind: StatefulSet") ? "statefulset/docket" : "deployment/docket-order";
      expect(await validate(version, text)).toContain(`${workload} against version`);
    }
  });

  test("would not fit with a misspelt field", async () => {
    const text = await template("--values", join(chart, "testing/good/minimal.yaml"));
    const failure = expect.stringContaining("serviceNam");
    const validating = validate("1.36", text.replace("serviceName:", "serviceNam:"));
    await expect(validating).rejects.toMatchObject({ stdout: failure });
  });
});

test("the example of a first installation names values that exist", async () => {
  const readme = await readFile(join(chart, "README.md"), "utf8");
  const table = readme.slice(readme.indexOf("<!-- values -->"));
  const used = [...readme.matchAll(/--set ([a-zA-Z.]+)=/g)].map(([, name]) => name);
  expect(used.length).toBeGreaterThan(1);
  for (const name of used) {
    expect(table).toContain(`| \`${name}\` |`);
  }
});
