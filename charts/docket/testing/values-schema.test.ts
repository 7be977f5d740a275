import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { Ajv } from "ajv";
import { settingGroups } from "../../../services/host/config.ts";
import { ConfigError } from "../../../services/runtime/config/config-error.ts";
import { readSettings } from "../../../services/runtime/config/read-settings.ts";

const file = readFileSync(join(import.meta.dirname, "../values.schema.json"), "utf8");
const { properties } = JSON.parse(file).properties.config as { properties: Record<string, object> };
const ajv = new Ajv();

const values = [true, 0, 5, 100_000_000, -1, 1.5, [], {}, null].concat(
  ...["true", "5", "100000000", "-1", "x", "info", "forwarded", "10s", "2d", "https://shop.example", "HTTP://a"],
  ...["a.B/C=10, a.B/D = 20,", "a=b", "10.0.0.0/8, fd00::/8", "*", "a b", "s".repeat(32)],
);

/** Whether the program accepts the value as the chart writes it into the environment. */
function programAccepts(variable: string, value: unknown): boolean {
  try {
    readSettings(settingGroups, { environment: { [variable]: String(value) } });
    return true;
  } catch (error) {
    if (error instanceof ConfigError) {
      return false;
    }
    throw error;
  }
}

describe("the schema of the chart's config", () => {
  test.each(Object.entries(properties))("accepts of %s what the program does", (variable, schema) => {
    const validate = ajv.compile({ ...schema, default: undefined });
    const texts = values.filter((value) => typeof value === "string" && programAccepts(variable, value));
    expect(texts.length).toBeGreaterThan(0);
    expect(texts.filter((text) => !validate(text))).toEqual([]);
    const scalars = values.filter((value) => typeof value !== "string" && validate(value));
    expect(scalars.filter((scalar) => !programAccepts(variable, scalar))).toEqual([]);
    const refused = values.filter((value) => !validate(value));
    expect(refused).toEqual(expect.arrayContaining([1.5, [], {}, null]));
  });
});
