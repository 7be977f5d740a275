/** The kind of a path template token. */
export type TokenKind = "/" | "*" | "**" | "{" | "}" | "=" | ":" | "text" | "end";

/** One token; `column` counts from 1, in UTF-16 units, from the start of the template. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly column: number;
}

/** A template that violates http.proto's grammar. */
export class TemplateError extends Error {
  readonly template: string;
  /** Position of the error, counted from 1. */
  readonly column: number;

  constructor(template: string, column: number, reason: string) {
    super(`path template "${template}", column ${column}: ${reason}`);
    this.name = "TemplateError";
    this.template = template;
    this.column = column;
  }
}

const punctuation = new Set(["/", "{", "}", "=", ":"]);

/**
 * RFC 3986 `pchar` without the characters of the grammar. A percent sign must start an escape, which is checked
 * separately so that the column is that of the percent sign.
 */
const textCharacter = /[A-Za-z0-9\-._~!$&'()+,;@%]/;

/**
 * Splits a path template of `google.api.http` into tokens, the last of which is `end`.
 *
 * @throws TemplateError for a character that a path must escape, for `***`, and for a malformed escape.
 */
export function lexTemplate(template: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < template.length) {
    const character = template.charAt(at);
    if (punctuation.has(character)) {
      tokens.push({ kind: character as TokenKind, text: character, column: at + 1 });
      at += 1;
      continue;
    }
    const start = at;
    if (character === "*") {
      while (template[at] === "*") at += 1;
      const text = template.slice(start, at);
      if (text.length > 2) throw new TemplateError(template, start + 3, `unexpected "*" after "**"`);
      tokens.push({ kind: text as TokenKind, text, column: start + 1 });
      continue;
    }
    while (at < template.length && textCharacter.test(template.charAt(at))) {
      if (template[at] === "%" && !/^%[0-9A-Fa-f]{2}/.test(template.slice(at, at + 3))) {
        throw new TemplateError(template, at + 1, "malformed percent-encoding");
      }
      at += 1;
    }
    if (at === start) {
      const unexpected = String.fromCodePoint(template.codePointAt(at) ?? 0);
      throw new TemplateError(template, at + 1, `unexpected character "${unexpected}"`);
    }
    tokens.push({ kind: "text", text: template.slice(start, at), column: start + 1 });
  }
  tokens.push({ kind: "end", text: "", column: template.length + 1 });
  return tokens;
}
