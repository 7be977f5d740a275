import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { toJsonSchema } from "@valibot/to-json-schema";
import { isMap, isScalar, parseDocument, type Scalar, type YAMLMap } from "yaml";
import { functionMetrics } from "../deploy/function/lambda/metrics.ts";
import { gatewayMetrics } from "../gateway/program/server/metrics.ts";
import { processMetrics } from "../gateway/telemetry/process-metrics.ts";
import { settingGroups } from "../services/host/config.ts";
import { settingsOf } from "../services/runtime/config/read-settings.ts";
import type { DescribedSetting } from "../services/runtime/config/setting.ts";
import { runtimeMetrics } from "../services/runtime/telemetry/metrics.ts";
import { metricsDocument } from "./metrics-document.ts";
import { settingsDocument } from "./settings-document.ts";

/**
 * Writes the chart's `values.schema.json` and the table of values in its README from the comments of `values.yaml`, the
 * schema of `config` and the tables of `docs/configuration.md` from the settings of the program, and those of
 * `docs/metrics.md` from its metrics.
 *
 *     node tools/chart-docs.ts [--check]
 *
 * With `--check` nothing is written, and the exit code is 1 where a file is out of date.
 */

const root = join(import.meta.dirname, "..");
const chart = join(root, "charts/docket");

type Schema = Readonly<Record<string, unknown>>;

/** One row of the table of values. */
interface Row {
  readonly path: string;
  readonly fallback: unknown;
  readonly description: string;
}

/** Settings that the chart sets by other values or not at all, as ports, volumes, grace periods and secrets go with them. */
const managed =
  /^DOCKET_(SERVICES|SERVICE_ADDRESSES|SERVICE_SECRET(_ACCEPTED)?|SANDBOX_SECRET|(HTTP|GRPC|OPS)_PORT|(OPS_)?HOST|TLS_.*|SINGLE_PORT|FUNCTION_.*|DATA_DIR|DATABASE_URL|REDIS_URL|KAFKA_(BROKERS|TLS.*|SASL_.*)|ADMIN_KEY|PUBLIC_URL|DRAIN_.*)(_FILE)?$/;

/** The schema of a setting's text or number in `values.yaml`. The chart writes no lists or maps. */
function settingSchema({ schema }: DescribedSetting): Schema {
  const { anyOf, $schema, variable, allowed, otherwise, secret, live, fromFile, ...whole } = toJsonSchema(schema, {
    typeMode: "input",
  }) as Schema;
  if (!Array.isArray(anyOf)) {
    return whole;
  }
  const scalars = anyOf.filter(({ type }) => type !== "array" && type !== "object");
  return scalars.length === 1 ? { ...scalars[0], description: whole["description"] } : { anyOf: scalars, ...whole };
}

function configSchema(): Schema {
  const settings = settingsOf(settingGroups)
    .filter(({ variable }) => !managed.test(variable))
    .sort((a, b) => (a.variable < b.variable ? -1 : 1));
  const properties = Object.fromEntries(settings.map((setting) => [setting.variable, settingSchema(setting)]));
  return { type: "object", additionalProperties: false, properties };
}

/** A comment's text, and the schema that its @schema line adds. */
function readComment(path: string, comment: string): { description: string; extra: Schema } {
  const lines = comment.split("\n").map((line) => line.trim());
  const isSchema = (line: string) => line.startsWith("@schema ");
  const [schema = "@schema {}"] = lines.filter(isSchema);
  const text = lines.filter((line) => !isSchema(line));
  // The last paragraph: text above a blank line describes the file.
  const description = text.slice(text.lastIndexOf("") + 1).join(" ");
  if (description === "") {
    throw new Error(`values.yaml: ${path} has no comment`);
  }
  return { description, extra: JSON.parse(schema.slice("@schema ".length)) };
}

/** The schema of a map with the members of its default, each of which has the schema of another value. */
function membersLike(path: string, members: unknown): Schema {
  const names = Object.keys(members as object);
  const properties = Object.fromEntries(names.map((name) => [name, { $ref: `#/properties/${path}` }]));
  return { additionalProperties: false, properties };
}

function typeOf(value: unknown): Schema {
  if (Array.isArray(value)) {
    return { type: "array" };
  }
  switch (typeof value) {
    case "boolean":
    case "string":
      return { type: typeof value };
    case "number":
      return { type: "integer" };
    default:
      return value === null ? {} : { type: "object" };
  }
}

/** The schema of a map, and its rows of the table, in the file's order. */
function describeMap(map: YAMLMap, prefix: string, inherited: string): { schema: Schema; rows: Row[] } {
  const properties: Record<string, Schema> = {};
  const rows: Row[] = [];
  for (const [index, { key, value }] of map.items.entries()) {
    const name = String((key as Scalar).value);
    const path = `${prefix}${name}`;
    const own = (key as Scalar).commentBefore ?? (index === 0 ? (map.commentBefore ?? inherited) : "");
    const isSection = isMap(value) && value.items.length > 0;
    if (isSection && !own.includes("@schema")) {
      const section = describeMap(value, `${path}.`, "");
      properties[name] = section.schema;
      rows.push(...section.rows);
      continue;
    }
    const fallback = isScalar(value) ? value.value : isMap(value) || value ? (value as YAMLMap).toJSON() : null;
    const { description, extra } = readComment(path, own);
    const { config, eachLike, ...added } = extra;
    const schema = config ? configSchema() : eachLike ? membersLike(String(eachLike), fallback) : added;
    properties[name] = { description, ...("$ref" in schema ? {} : typeOf(fallback)), ...schema };
    rows.push({ path, fallback, description });
  }
  return { schema: { type: "object", additionalProperties: false, properties }, rows };
}

function tableOf(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ path, fallback, description }) => `| \`${path}\` | \`${JSON.stringify(fallback)}\` | ${description} |`,
  );
  return ["| value | default | |", "| --- | --- | --- |", ...lines].join("\n");
}

const document = parseDocument(await readFile(join(chart, "values.yaml"), "utf8"));
if (!isMap(document.contents)) {
  throw new Error("values.yaml is no map");
}
const { schema, rows } = describeMap(document.contents, "", document.commentBefore ?? "");
const properties = { global: { description: "Values that Helm shares with sub-charts.", type: "object" } };
const whole = {
  $schema: "http://json-schema.org/draft-07/schema#",
  title: "Values of Docket's chart",
  ...schema,
  properties: { ...properties, ...(schema["properties"] as object) },
};

const readme = await readFile(join(chart, "README.md"), "utf8");
const configuration = "docs/configuration.md";
const metrics = "docs/metrics.md";
const files = {
  "charts/docket/values.schema.json": `${JSON.stringify(whole, null, 2)}\n`,
  "charts/docket/README.md": readme.replace(
    /(<!-- values -->\n)[\s\S]*(<!-- end -->)/,
    (_, start, end) => `${start}\n${tableOf(rows)}\n\n${end}`,
  ),
  [configuration]: settingsDocument(await readFile(join(root, configuration), "utf8"), settingGroups),
  [metrics]: metricsDocument(await readFile(join(root, metrics), "utf8"), {
    docket: runtimeMetrics,
    gateway: gatewayMetrics,
    process: processMetrics,
    function: functionMetrics,
  }),
};
for (const [name, text] of Object.entries(files)) {
  const path = join(root, name);
  const found = await readFile(path, "utf8").catch(() => "");
  if (found === text) {
    continue;
  }
  if (process.argv.includes("--check")) {
    console.error(`${name} is out of date: run make chart-docs`);
    process.exitCode = 1;
  } else {
    await writeFile(path, text);
    console.log(`wrote ${name}`);
  }
}
