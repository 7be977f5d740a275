import { type MetricSpec, type MetricSpecs, prometheusName } from "../gateway/telemetry/metric-spec.ts";

/** Replaces what stands between the markers of each group, `<!-- metrics: NAME -->` and `<!-- end -->`, by its table. */
export function metricsDocument(document: string, groups: Readonly<Record<string, MetricSpecs>>): string {
  return Object.entries(groups).reduce((text, [group, specs]) => {
    const start = `<!-- metrics: ${group} -->`;
    const from = text.indexOf(start);
    const to = text.indexOf("<!-- end -->", from);
    if (from === -1 || to === -1) {
      throw new Error(`the document has no place for the metrics of ${group}: ${start} … <!-- end -->`);
    }
    return `${text.slice(0, from)}${start}\n\n${tableOf(Object.values(specs))}\n\n${text.slice(to)}`;
  }, document);
}

function tableOf(specs: readonly MetricSpec[]): string {
  const rows = specs.map((spec) => {
    const labels = spec.attributes.map((name) => `\`${name.replaceAll(".", "_")}\``).join(", ");
    const type = spec.type === "upDownCounter" ? "gauge" : spec.type;
    return `| \`${prometheusName(spec)}\` | ${type} | ${labels} | ${spec.description} |`;
  });
  return ["| metric | type | labels | |", "| --- | --- | --- | --- |", ...rows].join("\n");
}
