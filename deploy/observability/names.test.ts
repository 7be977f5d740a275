import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { gatewayMetrics } from "../../gateway/program/server/metrics.ts";
import { type MetricSpec, prometheusName } from "../../gateway/telemetry/metric-spec.ts";
import { processMetrics } from "../../gateway/telemetry/process-metrics.ts";
import { runtimeMetrics } from "../../services/runtime/telemetry/metrics.ts";
import { dashboardFiles } from "./source/dashboards.ts";
import { ruleGroups } from "./source/rules.ts";

const root = join(import.meta.dirname, "../..");
const specs: readonly MetricSpec[] = [runtimeMetrics, gatewayMetrics, processMetrics].flatMap(Object.values);
const suffixes = { histogram: ["_bucket", "_sum", "_count"], counter: [""], gauge: [""], upDownCounter: [""] };
const exported = new Set(specs.flatMap((spec) => suffixes[spec.type].map((end) => prometheusName(spec) + end)));

const rules = ruleGroups().groups.flatMap((group) => group.rules);
const recorded = new Set(rules.flatMap(({ record }) => record ?? []));
const panels = Object.values(dashboardFiles()).flatMap((file) => (file as { panels: readonly Panel[] }).panels);

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly w: number };
  readonly targets: readonly { readonly refId: string; readonly expr: string }[];
}

const words = /^(sum|max|count|topk|rate|increase|absent|histogram_quantile|label_values|by|and|or|on|offset|vector)$/;

/** The names of series in a query: what is left without texts, labels, windows, groupings and PromQL's own words. */
function seriesOf(query: string): string[] {
  const bare = query
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, "")
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, "")
    .replaceAll(/\bby \([^)]*\)/g, "");
  return [...bare.matchAll(/[a-z_][\w:]*/gi)].map(([name]) => name).filter((name) => !words.test(name));
}

/** The labels that a query matches or groups by. */
function labelsOf(query: string): string[] {
  const matched = [...query.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, name = ""]) => name);
  const grouped = [...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, names = ""]) => names.split(/,\s*/));
  return [...matched, ...grouped];
}

const known = new Set([
  ...specs.flatMap(({ attributes }) => attributes.map((name) => name.replaceAll(".", "_"))),
  ...["job", "instance", "le", "slo"],
]);
const queries = [
  ...rules.map(({ alert, record, expr }) => [alert ?? record ?? "", expr] as const),
  ...panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const)),
];

test.each(queries)("%s asks for series and labels that exist", (_, query) => {
  const series = seriesOf(query);
  expect(series).not.toHaveLength(0);
  expect(series.filter((name) => !exported.has(name) && !recorded.has(name) && name !== "up")).toEqual([]);
  expect(labelsOf(query).filter((name) => !known.has(name))).toEqual([]);
});

test("every metric but a few is on a dashboard or in a rule", () => {
  const asked = new Set(queries.flatMap(([, query]) => seriesOf(query)));
  const unseen = specs.filter((spec) => !suffixes[spec.type].some((end) => asked.has(prometheusName(spec) + end)));
  expect(unseen.map(prometheusName).sort()).toEqual(["nodejs_eventloop_delay_mean_seconds", "process_uptime_seconds"]);
});

test("every alert says how urgent it is and what is wrong, and each name belongs to one severity", () => {
  const severities = new Map<string, string>();
  for (const { alert, labels, annotations } of rules) {
    if (alert !== undefined) {
      expect(["page", "ticket"]).toContain(labels?.["severity"]);
      expect(annotations?.["summary"]).toMatch(/\.$|\?$/);
      expect(severities.get(alert) ?? labels?.["severity"]).toBe(labels?.["severity"]);
      severities.set(alert, labels?.["severity"] ?? "");
    }
  }
});

test("panels have ids and series of their own, and lie within the grid", () => {
  for (const file of Object.values(dashboardFiles())) {
    const { panels } = file as { panels: readonly Panel[] };
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const { gridPos, targets } of panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
    }
  }
});

test("the written rules and dashboards are those of their sources", () => {
  const flags = ["--disable-warning=ExperimentalWarning", "tools/observability.ts", "--check"];
  expect(() => execFileSync(process.execPath, flags, { cwd: root })).not.toThrow();
});

describe("the Collector's configuration", () => {
  type Components = Readonly<Record<string, object>>;
  const config = parse(readFileSync(join(import.meta.dirname, "collector/collector.yaml"), "utf8")) as {
    readonly receivers: Components;
    readonly processors: Components;
    readonly exporters: Components;
    readonly extensions: Components;
    readonly service: {
      readonly extensions: readonly string[];
      readonly pipelines: Readonly<Record<string, Readonly<Record<Kind, readonly string[]>>>>;
    };
  };
  type Kind = "receivers" | "processors" | "exporters";
  const pipelines = Object.values(config.service.pipelines);

  test.each(["receivers", "processors", "exporters"] as const)(
    "defines the %s of its pipelines, and no other",
    (kind) => {
      const used = new Set(pipelines.flatMap((pipeline) => pipeline[kind]));
      expect([...used].sort()).toEqual(Object.keys(config[kind]).sort());
    },
  );

  test("limits memory first, and redacts before it keeps traces", () => {
    expect(pipelines.map(({ processors }) => processors[0])).toEqual(pipelines.map(() => "memory_limiter"));
    expect(config.service.pipelines["traces"]?.processors).toEqual(["memory_limiter", "redaction", "tail_sampling"]);
    expect([...config.service.extensions].sort()).toEqual(Object.keys(config.extensions).sort());
  });
});
