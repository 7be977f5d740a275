import * as v from "valibot";

/** A valibot schema that parses one setting, from text (a variable) or from a value of JSON (a file). */
export type Setting<T> = v.GenericSchema<unknown, T>;

/** The settings of one service, or of the host: a valibot object schema by the names of the code. */
export type SettingsSchema = v.ObjectSchema<Readonly<Record<string, Setting<unknown>>>, undefined>;

/** How a setting is declared. */
export interface Declaration<Input> {
  /** What the setting does, as full sentences for operators. */
  readonly description: string;
  /** Value if the setting is absent, as an operator would write it. Without it, the value is `undefined`. */
  readonly default?: Input;
  /** What applies without a value and without a default, for example "SQLite in the data folder". */
  readonly otherwise?: string;
  /** Whether a change in the configuration file, or in the file with a secret, applies without a restart. */
  readonly live?: boolean;
}

/** The type of a setting: without a default it can be undefined. */
export type ValueOf<T, D extends Declaration<unknown>> = D extends { readonly default: unknown } ? T : T | undefined;

/** What is known about a setting besides its schema. */
export interface SettingFacts {
  /** Name of its environment variable. Its key in a file is derived from it; see `fileKeyOf`. */
  readonly variable: string;
  /** Valid values, for example "a whole number from 0 to 65535". */
  readonly allowed: string;
  readonly otherwise?: string | undefined;
  /** Whether the value is confidential and never printed. */
  readonly secret: boolean;
  /** Whether a change applies without a restart. */
  readonly live: boolean;
  /** Whether `NAME_FILE`, the path of a file with the value (such as a mounted secret), is also read. */
  readonly fromFile: boolean;
}

/** A setting with everything that documentation needs. */
export interface DescribedSetting extends SettingFacts {
  /** Its name in the code. */
  readonly name: string;
  readonly schema: Setting<unknown>;
  readonly description: string;
  /** The default as an operator would write it. */
  readonly fallback: unknown;
}

/** Attaches the declaration to the schema of a value. */
export function declareSetting<T, const D extends Declaration<unknown>>(
  value: v.GenericSchema<unknown, T>,
  { description, default: fallback, otherwise, live = false }: D,
  facts: Omit<SettingFacts, "otherwise" | "live">,
): Setting<ValueOf<T, D>> {
  const metadata: SettingFacts = { ...facts, otherwise, live };
  const schema = v.pipe(v.optional(value, fallback), v.description(description), v.metadata({ ...metadata }));
  return schema as unknown as Setting<ValueOf<T, D>>;
}

/** All settings of a schema, in the order of their declaration. */
export function describeSettings(schema: SettingsSchema): DescribedSetting[] {
  return Object.entries(schema.entries).map(([name, setting]) => ({
    // Every setting is made by `declareSetting`.
    ...(v.getMetadata(setting) as unknown as SettingFacts),
    name,
    schema: setting,
    description: v.getDescription(setting) ?? "",
    fallback: v.getDefault(setting as never),
  }));
}

/** The values of a schema without any source. */
export function defaultsOf<S extends SettingsSchema>(schema: S): v.InferOutput<S> {
  return v.parse(schema, {});
}

/** Key of a setting in a configuration file: `DOCKET_HTTP_PORT` is `httpPort`. */
export function fileKeyOf(variable: string): string {
  return variable
    .replace(/^DOCKET_/, "")
    .toLowerCase()
    .replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
