import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { settingGroups } from "../../services/host/config.ts";
import { settingsOf } from "../../services/runtime/config/read-settings.ts";

const textOf = (name: string): string => readFileSync(join(import.meta.dirname, name), "utf8");
const known = new Set(settingsOf(settingGroups).map(({ variable }) => variable));

describe.each(["template.yaml", "cloud-run.yaml"])("%s", (name) => {
  test("names only settings of the program", () => {
    const named = new Set(textOf(name).match(/\bDOCKET_[A-Z_]+/g));
    expect([...named].filter((variable) => !known.has(variable))).toEqual([]);
    expect([...named]).toEqual(
      expect.arrayContaining(["DOCKET_DATABASE_URL", "DOCKET_ADMIN_KEY", "DOCKET_PUBLIC_URL"]),
    );
  });
});

test("the Cloud Run service listens where it is probed, with h2c for gRPC", () => {
  const { spec } = parse(textOf("cloud-run.yaml")) as {
    spec: { template: { spec: { containers: Record<string, never>[] } } };
  };
  const [container] = spec.template.spec.containers;
  expect(container).toMatchObject({
    ports: [{ name: "h2c", containerPort: 8080 }],
    startupProbe: { httpGet: { path: "/ready", port: 8080 } },
    livenessProbe: { httpGet: { path: "/live", port: 8080 } },
  });
  expect(container?.["env"]).toEqual(
    expect.arrayContaining([
      { name: "DOCKET_HTTP_PORT", value: "8080" },
      { name: "DOCKET_SINGLE_PORT", value: "true" },
    ]),
  );
});
