import type { JsonObject } from "@bufbuild/protobuf";
import { KnownRegex } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { ecmaPattern, escapePattern } from "./ecma-pattern.ts";
import { narrow } from "./narrow.ts";
import type { RuleSet, Translation } from "./rule-set.ts";

const octet = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const v4 = `${octet}(?:\\.${octet}){3}`;
/** Hexadecimal groups and colons: the `format` decides which may be omitted. */
const v6 = "[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*";
const label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
const hostname = `(?=.{1,253}\\.?$)(?!(?:.*\\.)?\\d+\\.?$)${label}(?:\\.${label})*\\.?`;
/** Every character of RFC 3986; a percent sign only before two hexadecimal digits. */
const uriText = "(?:[A-Za-z0-9\\-._~:\\/?#\\[\\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*";
const v4Length = "(?:3[0-2]|[12]?\\d)";
const v6Length = "(?:12[0-8]|1[01]\\d|[1-9]?\\d)";
const identifier = "[A-Za-z_][A-Za-z0-9_]*";

/**
 * Rules for well-known formats. A `format` alone would be an annotation: OpenAPI 3.1 does not require it to be
 * validated.
 */
const forms: Readonly<Record<string, JsonObject>> = {
  email: { format: "email", pattern: `^[a-zA-Z0-9.!#$%&'*+\\/=?^_\`{|}~-]+@${label}(?:\\.${label})*$` },
  hostname: { format: "hostname", pattern: `^${hostname}$` },
  ip: { pattern: `^(?:${v4}|${v6}(?:%.+)?)$` },
  ipv4: { format: "ipv4", pattern: `^${v4}$` },
  ipv6: { format: "ipv6", pattern: `^${v6}(?:%.+)?$` },
  uri: { format: "uri", pattern: `^[A-Za-z][A-Za-z0-9+.\\-]*:${uriText}$` },
  uri_ref: { format: "uri-reference", pattern: `^${uriText}$` },
  address: { pattern: `^(?:${hostname}|${v4}|${v6}(?:%.+)?)$` },
  uuid: { format: "uuid", pattern: "^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$" },
  tuuid: { pattern: "^[0-9a-fA-F]{32}$" },
  ulid: { pattern: "^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$" },
  host_and_port: { pattern: "^.+:(?:0|[1-9]\\d{0,4})$" },
  ip_with_prefixlen: { pattern: `^(?:${v4}\\/${v4Length}|${v6}\\/${v6Length})$` },
  ipv4_with_prefixlen: { pattern: `^${v4}\\/${v4Length}$` },
  ipv6_with_prefixlen: { pattern: `^${v6}\\/${v6Length}$` },
  ip_prefix: { pattern: `^(?:${v4}\\/${v4Length}|${v6}\\/${v6Length})$` },
  ipv4_prefix: { pattern: `^${v4}\\/${v4Length}$` },
  ipv6_prefix: { pattern: `^${v6}\\/${v6Length}$` },
  protobuf_fqn: { pattern: `^${identifier}(?:\\.${identifier})*$` },
  protobuf_dot_fqn: { pattern: `^(?:\\.${identifier})+$` },
};

/** Translates the string-only rules. Lengths in bytes become the lengths in characters that they imply. */
export function translateString(rules: RuleSet): Translation {
  let schema: JsonObject = {};
  const sentences: string[] = [];
  for (const [name, value] of rules) {
    if (name === "pattern" && ecmaPattern(String(value)) === undefined) {
      sentences.push(`Must match the RE2 pattern \`${value}\`.`);
    } else {
      schema = narrow(schema, keywordsOf(name, value, rules));
    }
  }
  return { schema, sentences };
}

function keywordsOf(name: string, value: unknown, rules: RuleSet): JsonObject {
  const text = (): string => escapePattern(String(value));
  switch (name) {
    case "len":
      return { minLength: Number(value), maxLength: Number(value) };
    case "min_len":
      return { minLength: Number(value) };
    case "max_len":
    case "max_bytes":
      return { maxLength: Number(value) };
    case "min_bytes":
      return { minLength: Math.ceil(Number(value) / 4) };
    case "len_bytes":
      return { minLength: Math.ceil(Number(value) / 4), maxLength: Number(value) };
    case "pattern":
      return { pattern: ecmaPattern(String(value)) ?? "" };
    case "prefix":
      return { pattern: `^${text()}` };
    case "suffix":
      return { pattern: `${text()}$` };
    case "contains":
      return { pattern: text() };
    case "not_contains":
      return { not: { pattern: text() } };
    case "well_known_regex":
      return headerPart(value as KnownRegex, rules.get("strict") !== false);
    default:
      return value === true ? (forms[name] ?? {}) : {};
  }
}

/** Names and values of HTTP headers: by RFC 9110 if `strict`, else anything without line breaks. */
function headerPart(regex: KnownRegex, strict: boolean): JsonObject {
  switch (regex) {
    case KnownRegex.HTTP_HEADER_NAME:
      return { pattern: strict ? "^:?[0-9a-zA-Z!#$%&'*+-.^_|~`]+$" : "^[^\\u0000\\n\\r]+$" };
    case KnownRegex.HTTP_HEADER_VALUE:
      return { pattern: strict ? "^[^\\u0000-\\u0008\\n-\\u001f\\u007f]*$" : "^[^\\u0000\\n\\r]*$" };
    default:
      return {};
  }
}
