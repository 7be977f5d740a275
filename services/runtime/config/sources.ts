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

/** A place where the value of a setting may be, or the path of a file with the value. */
interface Candidate {
  readonly origin: Origin;
  readonly label: string;
  readonly value: unknown;
}

/**
 * Looks a setting up: its variable, the file that `NAME_FILE` names, its key of the configuration file, and the file that
 * this key followed by `File` names. The first one that is present is taken. Empty variables and `null` are absent.
 */
export function findValue({ variable, fromFile }: DescribedSetting, { environment, file }: Sources): Found {
  const inEnvironment = (name: string): Candidate => ({
    origin: "environment",
    label: name,
    value: environment[name],
  });
  const inFile = (key: string): Candidate => ({
    origin: "file",
    label: `${file?.path}: ${key}`,
    value: file !== undefined && Object.hasOwn(file.values, key) ? file.values[key] : undefined,
  });
  const key = fileKeyOf(variable);
  for (const [direct, path] of [
    [inEnvironment(variable), inEnvironment(`${variable}_FILE`)],
    [inFile(key), inFile(`${key}File`)],
  ] as const) {
    if (isPresent(direct)) {
      const { value } = direct;
      return { ...direct, value: typeof value === "string" ? value.trim() : value };
    }
    if (fromFile && isPresent(path)) {
      return { origin: path.origin, label: direct.label, ...readSecret(path) };
    }
  }
  return { origin: "default", label: variable, value: undefined };
}

/** Paths of the files with secrets that the sources name. */
export function secretPaths(settings: readonly DescribedSetting[], { environment, file }: Sources): string[] {
  return settings
    .filter(({ fromFile }) => fromFile)
    .flatMap(({ variable }) => [environment[`${variable}_FILE`], file?.values[`${fileKeyOf(variable)}File`]])
    .filter((path): path is string => typeof path === "string" && path !== "");
}

function isPresent({ value }: Candidate): boolean {
  return value !== undefined && value !== null && value !== "";
}

/** Reads a mounted secret, without surrounding white space. */
function readSecret({ label, value: path }: Candidate): { value: unknown } | { label?: string; problem: string } {
  const named = `the file that ${label} names`;
  if (typeof path !== "string") {
    return { label, problem: "must be the path of a file" };
  }
  try {
    const value = readFileSync(path, "utf8").trim();
    return value === "" ? { problem: `is empty in ${named}` } : { value };
  } catch {
    return { problem: `cannot be read from ${named}` };
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
