import { type Comparator, filterError, type Token, tokenizeFilter } from "./filter-lexer.ts";

/**
 * Filters of lists, in the language of AIP-160 (https://google.aip.dev/160) without functions and without bare words:
 *
 * ```
 * filter      = [expression]
 * expression  = sequence {"AND" sequence}
 * sequence    = factor {factor}                    side by side means AND
 * factor      = term {"OR" term}                   OR binds closer than AND
 * term        = ["NOT" | "-"] ("(" expression ")" | restriction)
 * restriction = field comparator (value | "(" values ")")
 * values      = like expression, with values for restrictions: state = (PAID OR SHIPPED)
 * field       = name {"." name}                    a name may stand in quotes: labels."a.b"
 * comparator  = "=" | "!=" | "<" | "<=" | ">" | ">=" | ":"
 * value       = text | string                      "*" is a wildcard, "\*" is not
 * ```
 */
export type Filter =
  | { kind: "and" | "or"; operands: readonly Filter[] }
  | { kind: "not"; operand: Filter }
  | Restriction;

/** An unchecked comparison of a field with a value. */
export interface Restriction {
  kind: "restriction";
  field: readonly string[];
  comparator: Comparator;
  value: FilterValue;
  /** Offsets of the field and the value in the text, for error messages. */
  at: { field: number; value: number };
}

export interface FilterValue {
  /** The text between wildcards. A value without wildcards has one part. */
  parts: readonly string[];
}

const MAX_DEPTH = 32;
const MAX_RESTRICTIONS = 100;

/**
 * Parses a filter to a tree; undefined for a blank filter, which matches everything.
 *
 * @throws ConnectError INVALID_ARGUMENT, reason INVALID_FILTER, with the column of the problem.
 */
export function parseFilter(filter: string): Filter | undefined {
  const tokens = tokenizeFilter(filter);
  let next = 0;
  let depth = 0;
  let restrictions = 0;

  const peek = (): Token => tokens[next] ?? fail(undefined, "the filter ends too early");
  const take = (): Token => {
    const token = peek();
    next += 1;
    return token;
  };
  const fail = (token: Token | undefined, problem: string): never =>
    filterError(filter, token?.at ?? filter.length, problem);
  const takeKeyword = (keyword: string): boolean => {
    const found = peek().kind === "keyword" && peek().text === keyword;
    next += found ? 1 : 0;
    return found;
  };

  /** `leaf` parses the operand: a restriction, or a value inside `state = (…)`. */
  const expression = (leaf: () => Filter): Filter => {
    depth += 1;
    if (depth > MAX_DEPTH) {
      fail(peek(), `parentheses are nested more than ${MAX_DEPTH} deep`);
    }
    const operands = [factor(leaf)];
    while (takeKeyword("AND") || (peek().kind !== ")" && peek().kind !== "end")) {
      operands.push(factor(leaf));
    }
    depth -= 1;
    return combine("and", operands);
  };

  const factor = (leaf: () => Filter): Filter => {
    const operands = [term(leaf)];
    while (takeKeyword("OR")) {
      operands.push(term(leaf));
    }
    return combine("or", operands);
  };

  const term = (leaf: () => Filter): Filter => {
    if (takeKeyword("NOT")) {
      return { kind: "not", operand: simple(leaf) };
    }
    if (peek().kind === "-") {
      take();
      return { kind: "not", operand: simple(leaf) };
    }
    return simple(leaf);
  };

  const simple = (leaf: () => Filter): Filter => (peek().kind === "(" ? group(leaf) : leaf());

  const group = (leaf: () => Filter): Filter => {
    const opening = take();
    const inner = expression(leaf);
    if (peek().kind !== ")") {
      fail(opening, "the parenthesis is not closed");
    }
    take();
    return inner;
  };

  const restriction = (): Filter => {
    const first = peek();
    const field = fieldPath();
    const comparator = peek();
    if (comparator.kind === "(") {
      fail(first, `${first.text} looks like a function; filters do not support functions`);
    }
    if (comparator.kind !== "comparator") {
      const hint = /^(and|or|not)$/i.test(first.text)
        ? `; to combine comparisons write ${first.text.toUpperCase()}`
        : "";
      fail(comparator, `expected a comparison after ${first.text}: one of = != < <= > >= :${hint}`);
    }
    take();
    const leaf = (): Filter => {
      const value = take();
      if (value.kind !== "text" && value.kind !== "string") {
        fail(value, `expected a value${value.kind === "end" ? "" : `, not ${value.text}`}`);
      }
      restrictions += 1;
      if (restrictions > MAX_RESTRICTIONS) {
        fail(value, `more than ${MAX_RESTRICTIONS} comparisons`);
      }
      return {
        kind: "restriction",
        field,
        comparator: comparator.text as Comparator,
        value: { parts: value.parts },
        at: { field: first.at, value: value.at },
      };
    };
    return simple(leaf);
  };

  const fieldPath = (): string[] => {
    const names = [fieldName()];
    while (peek().kind === ".") {
      take();
      names.push(fieldName());
    }
    return names;
  };

  const fieldName = (): string => {
    const token = take();
    if (token.kind !== "text" && token.kind !== "string" && token.kind !== "keyword") {
      return fail(token, `expected a field${token.kind === "end" ? "" : `, not ${token.text}`}`);
    }
    return token.kind === "keyword" ? token.text : token.parts.join("*");
  };

  if (peek().kind === "end") {
    return undefined;
  }
  const tree = expression(restriction);
  if (peek().kind !== "end") {
    fail(peek(), `unexpected ${peek().text}`);
  }
  return tree;
}

function combine(kind: "and" | "or", operands: readonly Filter[]): Filter {
  const [only, ...others] = operands;
  return only && others.length === 0 ? only : { kind, operands };
}
