import { AmbiguousRouteError, anyMethod, createTrie } from "../../routing/route-trie.ts";
import { parseTemplate, type Segment, type Template } from "../../routing/template-parser.ts";
import { createRandom, type Random } from "./random.ts";

interface Rule {
  readonly method: string;
  readonly template: Template;
}

/**
 * Compares the trie with a brute-force matcher that tries every rule, on `count` random sets of rules and URLs: the
 * rule found, the segments from which variables are extracted, the methods of a 405, and which rules conflict.
 *
 * @returns the number of pairs compared. @throws Error at the first difference.
 */
export function fuzzMatcher(seed: number, count: number): number {
  const random = createRandom(seed);
  let pairs = 0;
  while (pairs < count) {
    const trie = createTrie<string>();
    const rules: Rule[] = [];
    for (let at = 0; at < 1 + random.below(8); at += 1) {
      const rule = {
        method: random.pick(methods),
        template: parseTemplate(randomTemplate(random), { extendedTemplates: true }),
      };
      const isNew = !rules.some((other) => isAmbiguous(rule, other));
      if (isNew !== inserts(trie, rule)) {
        throw new Error(`seed ${seed}: ${nameOf(rule)} ${isNew ? "is no" : "is an"} ambiguity among ${list(rules)}`);
      }
      if (isNew) rules.push(rule);
    }
    for (let at = 0; at < 20; at += 1) {
      const method = random.pick(requestMethods);
      const path = randomPath(random);
      const actual = found(trie, method, path);
      const expected = naive(rules, method, path);
      pairs += 1;
      if (actual !== expected) {
        throw new Error(`seed ${seed}: ${method} ${path} among ${list(rules)}: ${actual}, but ${expected}`);
      }
    }
  }
  return pairs;
}

const methods = ["GET", "GET", "POST", anyMethod] as const;
const requestMethods = ["GET", "GET", "POST", "DELETE", "HEAD"] as const;

const nameOf = ({ method, template }: Rule): string => `${method} ${template.source}`;
const list = (rules: readonly Rule[]): string => rules.map(nameOf).join(", ");

type StringTrie = ReturnType<typeof createTrie<string>>;

function inserts(trie: StringTrie, rule: Rule): boolean {
  try {
    trie.insert(rule.method, rule.template, nameOf(rule));
    return true;
  } catch (error) {
    if (error instanceof AmbiguousRouteError) return false;
    throw error;
  }
}

function isAmbiguous(left: Rule, right: Rule): boolean {
  const shape = ({ method, template }: Rule): string => JSON.stringify([method, template.segments, template.verb]);
  return shape(left) === shape(right);
}

function found(trie: StringTrie, method: string, path: string): string {
  try {
    const answer = trie.find(method, path);
    if (answer.kind === "match") return `${answer.value} with ${answer.segments.join("/")}`;
    return answer.kind === "method" ? `only ${answer.allowed.join(", ")}` : "none";
  } catch (error) {
    if (error instanceof URIError) return "malformed";
    throw error;
  }
}

function randomTemplate(random: Random): string {
  const length = 1 + random.below(4);
  if (random.chance(0.03)) return "/";
  const restAt = random.chance(0.3) ? random.below(length) : length - 1;
  const segments = Array.from({ length }, (_, at) => {
    const kind = random.below(at === restAt ? 7 : 5);
    const name = String.fromCharCode(97 + at);
    if (kind === 6) return "**";
    if (kind === 5) return `{${name}=${random.pick(["**", "a/**", "*/b/**"])}}`;
    if (kind === 4) return random.pick([`{${name}}`, `{${name}=a/*}`, `{${name}=*/*}`]);
    if (kind === 3) return "*";
    return random.pick(["a", "b", "a%20b"]);
  });
  return `/${segments.join("/")}${random.pick(["", "", "", ":v", ":w", ":v:w", ":%76"])}`;
}

function randomPath(random: Random): string {
  const texts = ["a", "b", "a", "b", "c", "", "a%20b", "%61", "a%2Fb", "%", "a%2", "%ff", "a:b", "__proto__"] as const;
  const segments = Array.from({ length: random.below(6) }, () => random.pick(texts));
  if (random.chance(0.7)) for (const [at, text] of segments.entries()) segments[at] = /^$|%/.test(text) ? "a" : text;
  return `/${segments.join("/")}${random.pick(["", "", "", ":v", ":w", ":v:w", ":x", ":", "%3Av", ":%76", ":v:"])}`;
}

/**
 * How literal a match is, segment by segment: 2 literal, 1 `*`, 0 `**`; the end of a template is a literal end. A `**`
 * is followed by the number of segments after it.
 */
type Rank = number[];

function naive(rules: readonly Rule[], method: string, path: string): string {
  const raw = path === "/" ? [] : path.slice(1).split("/");
  const last = raw.at(-1) ?? "";
  const splits: { segments: string[]; verb: string }[] = [];
  for (const [at, character] of [...last].entries()) {
    if (character === ":" && at < last.length - 1) {
      splits.push({ segments: [...raw.slice(0, -1), last.slice(0, at)], verb: last.slice(at + 1) });
    }
  }
  splits.push({ segments: raw, verb: "" });
  const allowed = new Set<string>();
  try {
    raw.map(decodeURIComponent);
    for (const { segments, verb } of splits) {
      let best: { rank: Rank; rule: Rule } | undefined;
      for (const rule of rules) {
        if (rule.template.verb !== decodeURIComponent(verb)) continue;
        const rank = rankOf(rule.template.segments, segments.map(decodeURIComponent));
        if (rank === undefined) continue;
        const suits = [anyMethod, ...(method === "HEAD" ? ["GET"] : []), method].indexOf(rule.method);
        if (suits === -1) allowed.add(rule.method);
        else if (best === undefined || isHigher([...rank, suits], best.rank)) best = { rank: [...rank, suits], rule };
      }
      if (best !== undefined) return `${nameOf(best.rule)} with ${segments.join("/")}`;
    }
  } catch {
    return "malformed";
  }
  if (allowed.has("GET")) allowed.add("HEAD");
  return allowed.size === 0 ? "none" : `only ${[...allowed].sort().join(", ")}`;
}

function rankOf(template: readonly Segment[], path: readonly string[]): Rank | undefined {
  if (path.includes("")) return undefined;
  const rank: Rank = [];
  let shift = 0;
  for (const [at, segment] of template.entries()) {
    const following = template.length - at - 1;
    if (segment.kind === "**") {
      shift = path.length - following - at - 1;
      if (shift < -1) return undefined;
      rank.push(0, following);
      continue;
    }
    const text = path[at + shift];
    if (text === undefined || (segment.kind === "literal" && segment.text !== text)) return undefined;
    rank.push(segment.kind === "literal" ? 2 : 1);
  }
  return path.length === template.length + shift ? [...rank, 2] : undefined;
}

function isHigher(left: Rank, right: Rank): boolean {
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    const difference = (left[at] ?? -1) - (right[at] ?? -1);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
