import { type DescMethod, type FileRegistry, getOption, hasOption, type Message, ScalarType } from "@bufbuild/protobuf";
import type { GenExtension } from "@bufbuild/protobuf/codegenv2";
import type { MethodOptions } from "@bufbuild/protobuf/wkt";
import type { ErrorFormat } from "../rest/error-body.ts";

/** The plugin's options, from `opt:` lines. */
export interface OpenApiOptions {
  readonly title: string;
  readonly version: string;
  /** The introduction of the API, as Markdown. */
  readonly description: string;
  /** A file with the description, which the plugin reads; relative to its working directory. */
  readonly descriptionFile: string | undefined;
  readonly server: string;
  readonly license: string;
  /** Full name of the method option, a message, that declares who may call. */
  readonly accessOption: string | undefined;
  /** Its field with the scopes, any one of which is sufficient. */
  readonly scopesField: string;
  /** Its bool field that allows unauthenticated calls. */
  readonly openField: string;
  /** A header that carries a key, in addition to `Authorization: Bearer`. */
  readonly apiKeyHeader: string | undefined;
  /** The method option, a bool, that marks methods without an implementation; by its full name. */
  readonly unimplementedOption: string | undefined;
  /** Names of services whose operations come first, in this order. Others follow in the order of their full names. */
  readonly tagOrder: readonly string[];
  /** The server's error format. */
  readonly errorFormat: ErrorFormat;
  /** Whether the server writes fields by their proto names. */
  readonly protoNames: boolean;
  /** Whether the server returns 201 when it creates a resource. */
  readonly created: boolean;
}

const known = {
  title: "title",
  version: "version",
  description: "description",
  description_file: "descriptionFile",
  server: "server",
  license: "license",
  access_option: "accessOption",
  scopes_field: "scopesField",
  open_field: "openField",
  api_key_header: "apiKeyHeader",
  unimplemented_option: "unimplementedOption",
  tag_order: "tagOrder",
  error_format: "errorFormat",
  proto_names: "protoNames",
  created: "created",
} as const;

/**
 * Parses the plugin's parameter: comma-separated `key=value`; a backslash escapes a comma. The names of `tag_order` are
 * separated by spaces.
 */
export function parseOptions(parameter: string): OpenApiOptions {
  const options: Record<string, string> = {};
  for (const part of parameter.split(/(?<!\\),/)) {
    if (part === "") continue;
    const [key = "", ...rest] = part.split("=");
    if (!Object.hasOwn(known, key)) throw new Error(`unknown option "${key}"`);
    options[known[key as keyof typeof known]] = rest.join("=").replaceAll("\\,", ",");
  }
  const { errorFormat = "status", protoNames, created, tagOrder = "", ...texts } = options;
  if (!isErrorFormat(errorFormat)) throw new Error(`unknown error_format "${errorFormat}"`);
  return {
    title: "API",
    version: "1.0.0",
    description: "",
    descriptionFile: undefined,
    server: "/",
    license: "",
    accessOption: undefined,
    scopesField: "scopes",
    openField: "open",
    apiKeyHeader: undefined,
    unimplementedOption: undefined,
    ...texts,
    tagOrder: tagOrder.split(" ").filter((name) => name !== ""),
    errorFormat,
    protoNames: protoNames === "true",
    created: created !== "false",
  };
}

function isErrorFormat(name: string): name is ErrorFormat {
  return name === "status" || name === "aip193" || name === "problem";
}

/** Who may call a method: everyone, or holders of any of the scopes. */
export type Access = { readonly open: true } | { readonly open: false; readonly scopes: readonly string[] };

/** Reads the access of methods from the option named by the parameter; undefined if there is none. */
export function createAccessReader(
  options: OpenApiOptions,
  registry: FileRegistry,
): (method: DescMethod) => Access | undefined {
  if (options.accessOption === undefined) return () => undefined;
  const extension = registry.getExtension(options.accessOption);
  if (extension === undefined) throw new Error(`access_option "${options.accessOption}" is not an extension`);
  // The extension is only known at run time. This check that it extends MethodOptions justifies the type.
  if (extension.extendee.typeName !== "google.protobuf.MethodOptions" || extension.message === undefined) {
    throw new Error(`access_option "${options.accessOption}" is not a message that is a method option`);
  }
  const option = extension as unknown as GenExtension<MethodOptions, Message>;
  const fieldName = (name: string): string | undefined =>
    extension.message?.fields.find((field) => field.name === name)?.localName;
  const scopes = fieldName(options.scopesField);
  const open = fieldName(options.openField);
  return (method) => {
    if (!hasOption(method, option)) return undefined;
    const access = getOption(method, option) as unknown as Record<string, unknown>;
    if (open !== undefined && access[open] === true) return { open: true };
    return { open: false, scopes: scopes === undefined ? [] : ((access[scopes] as string[] | undefined) ?? []) };
  };
}

/** Returns a predicate for methods that the option named by the parameter marks as unimplemented. */
export function createUnimplementedReader(
  options: OpenApiOptions,
  registry: FileRegistry,
): (method: DescMethod) => boolean {
  if (options.unimplementedOption === undefined) return () => false;
  const extension = registry.getExtension(options.unimplementedOption);
  // The extension is only known at run time: that it extends MethodOptions is checked here, for the type to be true.
  if (extension?.extendee.typeName !== "google.protobuf.MethodOptions" || extension.scalar !== ScalarType.BOOL) {
    throw new Error(`unimplemented_option "${options.unimplementedOption}" is not a bool that is a method option`);
  }
  const option = extension as unknown as GenExtension<MethodOptions, boolean>;
  return (method) => getOption(method, option);
}
