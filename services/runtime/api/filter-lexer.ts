import { invalidArgument } from "../errors.ts";

export type Comparator = "=" | "!=" | "<" | "<=" | ">" | ">=" | ":";

/** A token of a filter. `at` is its zero-based offset in the text. */
export interface Token {
  kind: "text" | "string" | "comparator" | "keyword" | "(" | ")" | "." | "-" | "end";
  /** Source text, quotes included. */
  text: string;
  at: number;
  /** A text or string value, unescaped and split at its wildcards: `a*c` is `["a", "c"]`, and `a\*c` is `["a*c"]`. */
  parts: readonly string[];
}

const MAX_FILTER_LENGTH = 4096;
/**
 * Databases try every placement of the text between wildcards on every row, so the cost grows exponentially with the
 * number of inner wildcards. Two suffice for prefix, suffix and substring matches.
 */
const MAX_WILDCARDS = 2;
/** Each wildcard pattern costs one scan of the row's text. */
const MAX_PATTERNS = 8;

const KEYWORDS = new Set(["AND", "OR", "NOT"]);
const COMPARATORS = /(?:<=|>=|!=|[=<>:])/y;
const SPACE = /\s+/y;
/** A field name ends at a dot or a colon; a value does not, so `2026-01-02T03:04:05.6Z` needs no quotes. */
const NAME = /(?:\\.|[^\s().<>=!:,"'\\])+/suy;
const VALUE = /(?:\\.|[^\s()<>=!,"'\\])+/suy;
const QUOTED = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/suy;

/** Throws INVALID_ARGUMENT for the request field `filter`, with the one-based column of the problem. */
export function filterError(filter: string, at: number, problem: string): never {
  const column = [...filter.slice(0, at)].length + 1;
  throw invalidArgument([{ field: "filter", description: `column ${column}: ${problem}` }], "INVALID_FILTER");
}

/** Splits a filter into tokens. The last one is `end`. */
export function tokenizeFilter(filter: string): Token[] {
  if (filter.length > MAX_FILTER_LENGTH) {
    filterError(filter, MAX_FILTER_LENGTH, `a filter is at most ${MAX_FILTER_LENGTH} characters long`);
  }
  const tokens: Token[] = [];
  /** For each open parenthesis, whether it contains values, as in `state = (A OR B)`, instead of an expression. */
  const groups: boolean[] = [];
  let at = 0;
  let patterns = 0;

  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(filter)?.[0];
  };
  const add = (kind: Token["kind"], text: string, parts: readonly string[] = []) => {
    if (parts.length > MAX_WILDCARDS + 1) {
      filterError(filter, at, `more than ${MAX_WILDCARDS} wildcards in a value`);
    }
    patterns += parts.length > 1 ? 1 : 0;
    if (patterns > MAX_PATTERNS) {
      filterError(filter, at, `more than ${MAX_PATTERNS} values with wildcards`);
    }
    tokens.push({ kind, text, at, parts });
    at += text.length;
  };

  while (at < filter.length) {
    const space = match(SPACE);
    if (space) {
      at += space.length;
      continue;
    }
    const afterComparator = tokens.at(-1)?.kind === "comparator";
    const wantsValue = afterComparator || groups.at(-1) === true;
    const char = filter.charAt(at);
    if (char === "(") {
      groups.push(wantsValue);
      add("(", char);
    } else if (char === ")") {
      groups.pop();
      add(")", char);
    } else if (char === "." && !wantsValue) {
      add(".", char);
    } else if (char === "-" && !(wantsValue && (afterComparator || /\d/.test(filter.charAt(at + 1))))) {
      add("-", char);
    } else if (char === '"' || char === "'") {
      const quoted = match(QUOTED) ?? filterError(filter, at, "the string is not closed");
      add("string", quoted, splitAtWildcards(quoted.slice(1, -1)));
    } else {
      const comparator = wantsValue ? undefined : match(COMPARATORS);
      const text = match(wantsValue ? VALUE : NAME);
      if (comparator) {
        add("comparator", comparator);
      } else if (text && KEYWORDS.has(text)) {
        add("keyword", text);
      } else if (text) {
        add("text", text, splitAtWildcards(text));
      } else {
        filterError(
          filter,
          at,
          `unexpected ${JSON.stringify(char)}; put texts with special characters in double quotes`,
        );
      }
    }
  }
  tokens.push({ kind: "end", text: "", at: filter.length, parts: [] });
  return tokens;
}

/** Removes escaping backslashes and splits at unescaped wildcards. */
function splitAtWildcards(text: string): string[] {
  const parts = [""];
  for (let i = 0; i < text.length; i++) {
    const last = parts.length - 1;
    if (text[i] === "*") {
      parts.push("");
    } else {
      i += text[i] === "\\" ? 1 : 0;
      parts[last] += text[i] ?? "";
    }
  }
  return parts;
}
