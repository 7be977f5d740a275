import { readFileSync } from "node:fs";
import { type DescribedSetting, fileKeyOf } from "./setting.ts";

/** Source of configuration: `process.env`, or any object in a test. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A configuration file: its path and the values of its keys. See `fileKeyOf`. */
export interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Where values are read. The environment takes precedence over the file. */
export interface Sources {
  readonly environment: Environment;
  readonly file?: ConfigFile | undefined;
}

/** Where the value of a setting comes from. */
export type Origin = "default" | "environment" | "file";

/** The value of a setting before it is checked, with the name to blame for problems. */
export type Found =
  | { readonly origin: Origin; readonly label: string; readonly value: unknown }
  | { readonly origin: Origin; readonly label: string; readonly problem: string };

/**
 * Looks a setting up: its variable, the file that `NAME_FILE` names, its key of the configuration file, and the file that
 * this key followed by `File` names. The first one that is present is taken. Empty variables and `null` are absent.
 */
export function findValue({ variable, fromFile }: DescribedSetting, { environment, file }: Sources): Found {
  const key = fileKeyOf(variable);
  const candidates: readonly [origin: Origin, label: string, value: unknown][] = [
    ["environment", variable, environment[variable]],
    ["environment", `${variable}_FILE`, fromFile ? environment[`${variable}_FILE`] : undefined],
    ["file", `${file?.path}: ${key}`, ownValue(file, key)],
    ["file", `${file?.path}: ${key}File`, fromFile ? ownValue(file, `${key}File`) : undefined],
  ];
  const index = candidates.findIndex(([, , value]) => value !== undefined && value !== null && value !== "");
  const found = candidates[index];
  if (found === undefined) {
    return { origin: "default", label: variable, value: undefined };
  }
  const [origin, label, value] = found;
  const isPath = index % 2 === 1;
  if (!isPath) {
    return { origin, label, value: typeof value === "string" ? value.trim() : value };
  }
  return { origin, ...readSecret(label.replace(/_?FILE$/i, ""), label, value) };
}

function ownValue(file: ConfigFile | undefined, key: string): unknown {
  return file !== undefined && Object.hasOwn(file.values, key) ? file.values[key] : undefined;
}

/** Reads a mounted secret, without surrounding white space. */
function readSecret(label: string, pathLabel: string, path: unknown) {
  const named = `the file that ${pathLabel} names`;
  if (typeof path !== "string") {
    return { label: pathLabel, problem: "must be the path of a file" };
  }
  try {
    const value = readFileSync(path, "utf8").trim();
    return value === "" ? { label, problem: `is empty in ${named}` } : { label, value };
  } catch {
    return { label, problem: `cannot be read from ${named}` };
  }
}

/** Variables of Docket's clients, examples and tests. */
const clientVariables = /^DOCKET_(URL|API_KEY|GRPC|TEST_.*)$/;

/** Variables that Kubernetes sets in every container for each Service, here those whose names begin with "docket". */
const serviceLinks = /_SERVICE_(HOST|PORT(_.*)?)$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;
const serviceLinkAddress = /^(tcp|udp|sctp):/;

/** Variables that begin with `DOCKET_` and name no setting, for example because of a typing error. */
export function unknownVariables(environment: Environment, settings: readonly DescribedSetting[]): string[] {
  const known = new Set(settings.flatMap(namesOf));
  return Object.entries(environment).flatMap(([name, value = ""]) => {
    const isOurs = name.startsWith("DOCKET_") && !known.has(name) && !clientVariables.test(name);
    return isOurs && !serviceLinks.test(name) && !serviceLinkAddress.test(value) ? [name] : [];
  });
}

/** Keys of the file that name no setting. */
export function unknownKeys({ values }: ConfigFile, settings: readonly DescribedSetting[]): string[] {
  const known = new Set(settings.flatMap((setting) => namesOf(setting).map(fileKeyOf)));
  return Object.keys(values).filter((key) => !known.has(key));
}

function namesOf({ variable, fromFile }: DescribedSetting): string[] {
  return fromFile ? [variable, `${variable}_FILE`] : [variable];
}
