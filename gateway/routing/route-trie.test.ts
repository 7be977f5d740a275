import { describe, expect, test } from "@jest/globals";
import { createTrie, type Trie } from "./route-trie.ts";
import { parseTemplate } from "./template-parser.ts";

function trieOf(...rules: string[]): Trie<string> {
  const trie = createTrie<string>();
  for (const rule of rules) {
    const [method = "", template = ""] = rule.split(" ");
    trie.insert(method, parseTemplate(template, { extendedTemplates: true }), rule);
  }
  return trie;
}

/** rules, request, outcome: a rule, `405 …` or `404`. */
const cases: [rules: string[], request: string, outcome: string][] = [
  [["GET /a/*", "GET /a/b"], "GET /a/b", "GET /a/b"],
  [["GET /a/b", "GET /a/*"], "GET /a/b", "GET /a/b"],
  [["GET /a/**", "GET /a/*"], "GET /a/b", "GET /a/*"],
  [["GET /a/**", "GET /a/*/c"], "GET /a/b/d", "GET /a/**"],
  [["GET /*/x", "GET /a/y"], "GET /a/x", "GET /*/x"],
  [["GET /x/search", "DELETE /x/{id}"], "DELETE /x/search", "DELETE /x/{id}"],
  [["GET /x/search", "DELETE /x/{id}"], "POST /x/search", "405 DELETE, GET, HEAD"],
  [["GET /a/**"], "GET /a", "GET /a/**"],
  [["GET /a/**"], "GET /a/b/c/d", "GET /a/**"],
  [["GET /a/**"], "GET /a/", "404"],
  [["GET /a/**"], "GET /a/b//c", "404"],
  [["GET /a", "GET /a/**"], "GET /a", "GET /a"],
  [["GET /**"], "GET /", "GET /**"],
  [["GET /"], "GET /", "GET /"],
  [["GET /", "GET /**"], "GET /", "GET /"],
  [["GET /"], "GET /a", "404"],
  [["GET /a/**/b"], "GET /a/b", "GET /a/**/b"],
  [["GET /a/**/b"], "GET /a/x/y/b", "GET /a/**/b"],
  [["GET /a/**/b"], "GET /a/x/y/c", "404"],
  [["GET /a/**/b"], "GET /a//b", "404"],
  [["GET /a/**/b"], "GET /a/x/b/", "404"],
  [["GET /a/**", "GET /a/**/b"], "GET /a/x/b", "GET /a/**/b"],
  [["GET /a/**", "GET /a/**/b"], "GET /a/x/c", "GET /a/**"],
  [["GET /a/**/b", "GET /a/**/*/b"], "GET /a/x/b", "GET /a/**/*/b"],
  [["GET /a/**/*/b", "GET /a/**/b"], "GET /a/b", "GET /a/**/b"],
  [["GET /a/**/b", "GET /a/*/b"], "GET /a/x/b", "GET /a/*/b"],
  [["GET /a/**/b:v"], "GET /a/x/b:v", "GET /a/**/b:v"],
  [["GET /a/**/b", "POST /a/**/*"], "DELETE /a/x/b", "405 GET, HEAD, POST"],
  [["GET /a/*/b"], "GET /a//b", "404"],
  [["GET /a/*"], "GET /a/b/", "404"],
  [["GET /a"], "GET /a/", "404"],
  [["GET /a"], "GET //a", "404"],
  [["GET /a"], "GET a", "404"],
  [["GET /a"], "HEAD /a", "GET /a"],
  [["HEAD /a", "GET /a"], "HEAD /a", "HEAD /a"],
  [["POST /a"], "HEAD /a", "405 POST"],
  [["* /a"], "BREW /a", "* /a"],
  [["* /a", "GET /a"], "GET /a", "GET /a"],
  [["GET /items/{id}"], "GET /items/a:b", "GET /items/{id}"],
  [["GET /items/{id}", "POST /items/{id}:b"], "POST /items/a:b", "POST /items/{id}:b"],
  [["GET /items/{id}", "POST /items/{id}:b"], "GET /items/a:b", "GET /items/{id}"],
  [["GET /items/{id}", "GET /items/{id}:b"], "GET /items/a:b", "GET /items/{id}:b"],
  [["GET /items/{id}:b", "GET /items/{id}:a:b"], "GET /items/x:a:b", "GET /items/{id}:a:b"],
  [["GET /items/{id}:b"], "GET /items/x:a:b", "GET /items/{id}:b"],
  [["GET /items/{id}:b"], "GET /items/x%3Ab", "404"],
  [["GET /items/{id}:b"], "GET /items/:b", "404"],
  // Found by the fuzzer: an empty verb was treated as no verb.
  [["GET /items", "GET /a:b"], "GET /items:", "404"],
  [["GET /{name=**}:b"], "GET /x/y:b", "GET /{name=**}:b"],
  [["GET /v1/orders"], "GET /v1/%6Frders", "GET /v1/orders"],
  [["GET /v1/a%20b"], "GET /v1/a%20b", "GET /v1/a%20b"],
  [["GET /a/b"], "GET /a%2Fb", "404"],
  [["GET /a/*"], "GET /a/b%2Fc", "GET /a/*"],
  [["GET /a"], "GET /A", "404"],
];

describe("Trie", () => {
  test.each(cases)("with %j should match %p to %p", (rules, request, outcome) => {
    const [method = "", path = ""] = request.split(" ");
    const found = trieOf(...rules).find(method, path);
    const text =
      found.kind === "match" ? found.value : found.kind === "method" ? `405 ${found.allowed.join(", ")}` : "404";
    expect(text).toBe(outcome);
  });

  test.each([
    [["GET /a/{x}", "GET /a/*"]],
    [["GET /a/{x}", "GET /a/{y}"]],
    [["GET /a/b", "GET /a/%62"]],
    [["GET /{x=a/*}/b", "GET /a/{y}/b"]],
    [["GET /**", "GET /{x=**}"]],
    [["GET /a:v", "GET /a:v"]],
  ])("should refuse %j as ambiguous", (rules) => {
    expect(() => trieOf(...rules)).toThrow("matches the same requests as");
  });

  test("should return the raw segments without the verb", () => {
    const found = trieOf("GET /a/{x}:v").find("GET", "/a/p%20q:v");
    expect(found).toMatchObject({ segments: ["a", "p%20q"] });
  });

  test("should throw URIError on malformed percent-encoding", () => {
    expect(() => trieOf("GET /a").find("GET", "/%zz")).toThrow(URIError);
  });
});
