import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isMap, isScalar, parseDocument, type Scalar, type YAMLMap } from "yaml";
import { readHostConfig } from "../services/host/config.ts";
import { ConfigError } from "../services/runtime/config/config.ts";

/**
 * Writes the chart's `values.schema.json` and the table of values in its README from the comments of `values.yaml`, and
 * the schema of `config` from the program's own configuration.
 *
 *     node tools/chart-docs.ts [--check]
 *
 * With `--check` nothing is written, and the exit code is 1 where a file is out of date.
 */

const chart = join(import.meta.dirname, "../charts/docket");

type Schema = Readonly<Record<string, unknown>>;

/** One row of the table of values. */
interface Row {
  readonly path: string;
  readonly fallback: unknown;
  readonly description: string;
}

/** Settings that the chart sets by other values or not at all, as ports, volumes, grace periods and secrets go with them. */
const managed =
  /^DOCKET_(SERVICES|SERVICE_ADDRESSES|SERVICE_SECRET|SANDBOX_SECRET|(HTTP|GRPC|OPS)_PORT|(OPS_)?HOST|TLS_.*|DATA_DIR|DATABASE_URL|ADMIN_KEY|PUBLIC_URL|DRAIN_.*)(_FILE)?$/;

/** The names of all settings: what the program asks its environment for. */
function settingNames(): string[] {
  const asked = new Set<string>();
  const environment = new Proxy<Record<string, string>>({}, { get: (_, name) => void asked.add(String(name)) });
  readHostConfig(environment);
  return [...asked].filter((name) => !name.endsWith("_FILE")).sort();
}

/** What the program says about a value that is none of its kinds; undefined where any text will do. */
function refusalOf(name: string): string | undefined {
  try {
    readHostConfig({ [name]: "?" });
    return undefined;
  } catch (error) {
    if (!(error instanceof ConfigError)) {
      throw error;
    }
    return error.problems.find((problem) => problem.startsWith(`${name} must`))?.slice(name.length + 1);
  }
}

/** The kinds of settings by how the program refuses a wrong value, with the schema of the right ones. */
const kinds: readonly [refusal: RegExp, schema: (found: RegExpExecArray) => Schema][] = [
  [/^must be true or false$/, () => ({ enum: [true, false, "true", "false"] })],
  [
    /^must be a whole number from (\d+) to (\d+)$/,
    ([, minimum, maximum]) => ({
      anyOf: [
        { type: "integer", minimum: Number(minimum), maximum: Number(maximum) },
        { type: "string", pattern: "^[0-9]+$" },
      ],
    }),
  ],
  [/^must be a time such as/, () => ({ type: "string", pattern: "^[0-9]+(ms|s|m|h|d)$" })],
  [/^must be one of (.*)$/, ([, words = ""]) => ({ enum: words.split(", ") })],
  [
    /^must be a URL of the form (.*)$/,
    ([, forms = ""]) => ({
      type: "string",
      pattern: `^(${[...forms.matchAll(/(\w+):…/g)].map(([, it]) => it).join("|")}):`,
    }),
  ],
  [/^must be networks/, () => ({ type: "string", pattern: "^[0-9a-fA-F.:/, ]+$" })],
  [/^must be names with numbers/, () => ({ type: "string", pattern: "^[^=\\s,]+\\s*=\\s*[0-9]{1,9}(\\s*,.*)?$" })],
];

function settingSchema(name: string): Schema {
  const refusal = refusalOf(name);
  if (refusal === undefined) {
    return { type: "string" };
  }
  for (const [pattern, schema] of kinds) {
    const found = pattern.exec(refusal);
    if (found !== null) {
      return schema(found);
    }
  }
  throw new Error(`${name} ${refusal}: add this kind of setting to tools/chart-docs.ts`);
}

function configSchema(): Schema {
  const names = settingNames().filter((name) => !managed.test(name));
  const properties = Object.fromEntries(names.map((name) => [name, settingSchema(name)]));
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
    const { config, ...added } = extra;
    properties[name] = { description, ...typeOf(fallback), ...(config ? configSchema() : added) };
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
const files = {
  "values.schema.json": `${JSON.stringify(whole, null, 2)}\n`,
  "README.md": readme.replace(
    /(<!-- values -->\n)[\s\S]*(<!-- end -->)/,
    (_, start, end) => `${start}\n${tableOf(rows)}\n\n${end}`,
  ),
};
for (const [name, text] of Object.entries(files)) {
  const path = join(chart, name);
  const found = await readFile(path, "utf8").catch(() => "");
  if (found === text) {
    continue;
  }
  if (process.argv.includes("--check")) {
    console.error(`charts/docket/${name} is out of date: run make chart-docs`);
    process.exitCode = 1;
  } else {
    await writeFile(path, text);
    console.log(`wrote charts/docket/${name}`);
  }
}
