import { describe, expect, test } from "@jest/globals";
import { AmbiguousRouteError, createTrie, type Trie } from "../routing/route-trie.ts";
import { TemplateError } from "../routing/template-lexer.ts";
import { parseTemplate } from "../routing/template-parser.ts";
import { type MatchCase, readSuite, type TemplateCase } from "./support/suite.ts";

describe("the suite of templates", () => {
  test.each(readSuite<TemplateCase>("templates"))("$name: $reason", (each) => {
    if (each.error !== undefined) {
      let error: unknown;
      try {
        parseTemplate(each.template);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(TemplateError);
      expect(error).toMatchObject({ column: each.error.column });
      return;
    }
    const { segments, verb, variables } = parseTemplate(each.template);
    expect(segments.map((segment) => (segment.kind === "literal" ? segment.text : segment.kind))).toEqual(
      each.segments,
    );
    expect(verb).toBe(each.verb);
    expect(variables.map(({ fieldPath, start, end }) => ({ field: fieldPath.join("."), start, end }))).toEqual(
      each.variables,
    );
  });
});

describe("the suite of matching", () => {
  const build = (rules: readonly string[]): Trie<string> => {
    const trie = createTrie<string>();
    for (const rule of rules) {
      const [method = "", template = ""] = rule.split(" ");
      trie.insert(method, parseTemplate(template), rule);
    }
    return trie;
  };

  test.each(readSuite<MatchCase>("matching"))("$name: $reason", (each) => {
    if (each.ambiguous === true) {
      expect(() => build(each.rules)).toThrow(AmbiguousRouteError);
      return;
    }
    const trie = build(each.rules);
    if (each.request === undefined) return;
    const [method = "", path = ""] = each.request.split(" ");
    if (each.status === 400) {
      expect(() => trie.find(method, path)).toThrow(URIError);
      return;
    }
    const found = trie.find(method, path);
    const outcome = found.kind === "match" ? { match: found.value } : { status: found.kind === "method" ? 405 : 404 };
    expect(outcome).toEqual(each.match === undefined ? { status: each.status } : { match: each.match });
  });
});
