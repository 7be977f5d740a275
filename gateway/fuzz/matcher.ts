import { parseTemplate, type Segment, type Template } from "../template.ts";
import { AmbiguousRouteError, createTrie } from "../trie.ts";
import { createRandom, type Random } from "./random-message.ts";

/**
 * Compares the trie with a matcher that just tries every rule, on `count` random sets of rules and URLs.
 *
 * @returns how many pairs were compared. @throws Error at the first difference.
 */
export function fuzzMatcher(seed: number, count: number): number {
  const random = createRandom(seed);
  let pairs = 0;
  while (pairs < count) {
    const trie = createTrie<string>();
    const rules: { method: string; template: Template }[] = [];
    for (let at = 0; at < 1 + random.below(8); at += 1) {
      const method = random.pick(["GET", "POST"]);
      const template = parseTemplate(randomTemplate(random));
      try {
        trie.insert(method, template, `${method} ${template.source}`);
        rules.push({ method, template });
      } catch (error) {
        if (!(error instanceof AmbiguousRouteError)) throw error;
      }
    }
    for (let at = 0; at < 20; at += 1) {
      const method = random.pick(["GET", "POST", "DELETE"]);
      const path = randomPath(random);
      const found = trie.find(method, path);
      const actual = found.kind === "match" ? found.value : found.kind;
      const expected = naive(rules, method, path);
      pairs += 1;
      if (actual !== expected) {
        const all = rules.map((rule) => `${rule.method} ${rule.template.source}`).join(", ");
        throw new Error(`seed ${seed}: ${method} ${path} among ${all}: ${actual}, but ${expected}`);
      }
    }
  }
  return pairs;
}

function randomTemplate(random: Random): string {
  const length = 1 + random.below(3);
  const segments = Array.from({ length }, (_, at) => {
    const kind = random.below(at === length - 1 ? 5 : 4);
    if (kind === 4) return "**";
    if (kind === 3) return "*";
    return random.pick(["a", "b", "c"]);
  });
  return `/${segments.join("/")}${random.pick(["", "", ":v", ":w", ":v:w"])}`;
}

function randomPath(random: Random): string {
  const segments = Array.from({ length: random.below(5) }, () => random.pick(["a", "b", "c", "d", "a", "", "a%20b"]));
  return `/${segments.join("/")}${random.pick(["", "", "", ":v", ":w", ":v:w", ":x", ":"])}`;
}

/** How literal a match is, segment by segment: 2 literal, 1 `*`, 0 `**`; the end of a template is a literal end. */
type Rank = number[];

function naive(rules: readonly { method: string; template: Template }[], method: string, path: string): string {
  const raw = path === "/" ? [] : path.slice(1).split("/");
  const last = raw.at(-1) ?? "";
  const splits: { segments: string[]; verb: string }[] = [];
  for (const [at, character] of [...last].entries()) {
    if (character === ":" && at < last.length - 1)
      splits.push({ segments: [...raw.slice(0, -1), last.slice(0, at)], verb: last.slice(at + 1) });
  }
  splits.push({ segments: raw, verb: "" });
  let wrongMethod = false;
  for (const { segments, verb } of splits) {
    let best: { rank: Rank; rule: string } | undefined;
    for (const { method: allowed, template } of rules) {
      if (template.verb !== verb) continue;
      const rank = rankOf(template.segments, segments.map(decodeURIComponent));
      if (rank === undefined) continue;
      if (allowed !== method) {
        wrongMethod = true;
        continue;
      }
      if (best === undefined || isHigher(rank, best.rank)) best = { rank, rule: `${allowed} ${template.source}` };
    }
    if (best !== undefined) return best.rule;
  }
  return wrongMethod ? "method" : "none";
}

function rankOf(template: readonly Segment[], path: readonly string[]): Rank | undefined {
  if (path.includes("")) return undefined;
  const rank: Rank = [];
  for (const [at, segment] of template.entries()) {
    if (segment.kind === "**") return [...rank, 0];
    const text = path[at];
    if (text === undefined || (segment.kind === "literal" && segment.text !== text)) return undefined;
    rank.push(segment.kind === "literal" ? 2 : 1);
  }
  return path.length === template.length ? [...rank, 2] : undefined;
}

function isHigher(left: Rank, right: Rank): boolean {
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    const difference = (left[at] ?? -1) - (right[at] ?? -1);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
