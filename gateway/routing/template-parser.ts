import { lexTemplate, TemplateError, type Token, type TokenKind } from "./template-lexer.ts";

/** One segment of a template: a literal (percent-decoded), `*` or `**`. */
export type Segment =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "*" }
  | { readonly kind: "**" };

/**
 * A variable of a template: its field and the segments `[start, end)` that it matches. After a `**` both are counted
 * from the end of the path, and negative: see {@link segmentRange}.
 */
export interface Variable {
  /** Names of the field path, as written: `["book", "name"]`. */
  readonly fieldPath: readonly string[];
  readonly start: number;
  /** Exclusive; `-1` is the end of the path. */
  readonly end: number;
  /** True if it can match more than one segment: then `%2F` is kept when the value is decoded. */
  readonly multi: boolean;
  /** Position of the variable in the template, counted from 1. */
  readonly column: number;
}

/** The segments `[start, end)` of a variable in a path of `count` segments. */
export function segmentRange({ start, end }: Variable, count: number): [start: number, end: number] {
  return [start < 0 ? count + 1 + start : start, end < 0 ? count + 1 + end : end];
}

/** Accepted template syntax. */
export interface TemplateOptions {
  /** Accepts, beyond http.proto, `**` before the end and the template `/`. */
  readonly extendedTemplates?: boolean | undefined;
}

/** A parsed path template. */
export interface Template {
  readonly source: string;
  readonly segments: readonly Segment[];
  /** Without its colon; empty if there is none. May itself contain colons. */
  readonly verb: string;
  readonly variables: readonly Variable[];
}

/**
 * Parses a path template by the grammar of `google/api/http.proto`:
 *
 *     Template = "/" Segments [ Verb ] ;
 *     Segments = Segment { "/" Segment } ;
 *     Segment  = "*" | "**" | LITERAL | Variable ;
 *     Variable = "{" FieldPath [ "=" Segments ] "}" ;
 *     FieldPath = IDENT { "." IDENT } ;
 *     Verb     = ":" LITERAL ;
 *
 * `**` only as the last segment, or anywhere but once by option; a variable neither twice nor inside another; a verb may
 * hold colons.
 *
 * @throws TemplateError with the column of what is wrong.
 */
export function parseTemplate(source: string, { extendedTemplates = false }: TemplateOptions = {}): Template {
  const tokens = lexTemplate(source);
  const segments: Segment[] = [];
  const variables: Variable[] = [];
  let position = 0;

  const peek = (): Token => tokens[position] ?? { kind: "end", text: "", column: source.length + 1 };
  const fail = (token: Token, reason: string): TemplateError => new TemplateError(source, token.column, reason);
  const take = (kind: TokenKind, wanted: string): Token => {
    const token = peek();
    if (token.kind !== kind) throw fail(token, `expected ${wanted}, got ${describe(token)}`);
    position += 1;
    return token;
  };

  const parseSegments = (inVariable: boolean): void => {
    parseSegment(inVariable);
    while (peek().kind === "/") {
      const slash = take("/", `"/"`);
      if (!extendedTemplates && segments.at(-1)?.kind === "**") throw fail(slash, `"**" must be the last segment`);
      parseSegment(inVariable);
    }
  };

  const parseSegment = (inVariable: boolean): void => {
    const token = peek();
    switch (token.kind) {
      case "*":
      case "**":
        if (token.kind === "**" && segments.some(({ kind }) => kind === "**")) {
          throw fail(token, `"**" can be there only once`);
        }
        position += 1;
        segments.push({ kind: token.kind });
        return;
      case "text":
      case "=":
        segments.push({ kind: "literal", text: takeLiteral() });
        return;
      case "{":
        if (inVariable) throw fail(token, "a variable cannot be inside a variable");
        parseVariable();
        return;
      default:
        throw fail(token, `expected a segment, got ${describe(token)}`);
    }
  };

  /** "=" is an ordinary character except where a variable's template begins. */
  const takeLiteral = (): string => {
    const first = peek();
    let text = "";
    for (let token = first; token.kind === "text" || token.kind === "="; token = peek()) {
      text += token.text;
      position += 1;
    }
    return decodeLiteral(source, first.column, text);
  };

  const parseVariable = (): void => {
    const open = take("{", `"{"`);
    const fieldPath = parseFieldPath(source, take("text", "a field path"));
    const start = segments.length;
    if (peek().kind === "=") {
      take("=", `"="`);
      parseSegments(true);
    } else {
      segments.push({ kind: "*" });
    }
    take("}", `"}"`);
    const joined = fieldPath.join(".");
    if (variables.some((other) => other.fieldPath.join(".") === joined)) {
      throw fail(open, `variable "${joined}" is there twice`);
    }
    const multi = segments.length - start > 1 || segments.at(-1)?.kind === "**";
    variables.push({ fieldPath, start, end: segments.length, multi, column: open.column });
  };

  const parseVerb = (): string => {
    let verb = "";
    while (peek().kind === ":") {
      verb += take(":", `":"`).text;
      const token = peek();
      if (token.kind !== "text" && token.kind !== "=") throw fail(token, `expected a verb, got ${describe(token)}`);
      verb += takeLiteral();
    }
    return verb.slice(1);
  };

  take("/", `"/" at the start`);
  if (!extendedTemplates || peek().kind !== "end") parseSegments(false);
  const verb = parseVerb();
  const after = peek();
  if (after.kind !== "end") throw fail(after, `unexpected ${describe(after)}`);
  const rest = segments.findIndex(({ kind }) => kind === "**");
  const positioned = (at: number): number => (rest === -1 || at <= rest ? at : at - segments.length - 1);
  const placed = variables.map((variable) => ({
    ...variable,
    start: positioned(variable.start),
    end: positioned(variable.end),
  }));
  return { source, segments, verb, variables: placed };
}

function parseFieldPath(source: string, token: Token): string[] {
  const names = token.text.split(".");
  let column = token.column;
  for (const name of names) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new TemplateError(source, column, `"${name}" is not a field name`);
    }
    column += name.length + 1;
  }
  return names;
}

function decodeLiteral(source: string, column: number, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TemplateError(source, column, "malformed percent-encoding");
  }
}

function describe(token: Token): string {
  return token.kind === "end" ? "the end" : `"${token.text}"`;
}
