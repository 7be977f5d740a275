import { decodeSegment } from "../fields/percent-encoding.ts";
import type { Segment, Template } from "./template-parser.ts";

/** The method of a rule whose custom kind is `*`: any HTTP method. */
export const anyMethod = "*";

/** Two rules that match the same requests. */
export class AmbiguousRouteError extends Error {
  constructor(method: string, added: string, existing: string) {
    super(`${method} ${added} matches the same requests as ${method} ${existing}`);
    this.name = "AmbiguousRouteError";
  }
}

/** A match: the value, and the raw segments (without the verb) from which variables are extracted. */
export interface Match<T> {
  readonly kind: "match";
  readonly value: T;
  readonly segments: readonly string[];
}

/** The outcome of {@link Trie.find}. `method` means that only the method did not match; `allowed` is sorted. */
export type Found<T> =
  | Match<T>
  | { readonly kind: "method"; readonly allowed: readonly string[] }
  | { readonly kind: "none" };

interface Entry<T> {
  readonly source: string;
  readonly value: T;
}

interface Node<T> {
  /** verb → HTTP method → entry. The empty verb is "no verb". */
  readonly verbs: Map<string, Map<string, Entry<T>>>;
  readonly literals: Map<string, Node<T>>;
  star: Node<T> | undefined;
  /** The suffixes that follow a `**` at this node, by their number of segments, the longest first. */
  readonly rests: Rest<T>[];
}

interface Rest<T> {
  readonly length: number;
  readonly node: Node<T>;
}

/**
 * Routes by path template. In each segment a literal takes precedence over `*`, and `*` over `**`, whatever the order
 * of insertion. If the more literal branch fails later, or its method does not match, the next one is tried.
 */
export interface Trie<T> {
  /** @throws AmbiguousRouteError if another template with the same method matches the same paths. */
  insert(method: string, template: Template, value: T): void;
  /**
   * Finds a route by the raw (percent-encoded) path, without its query. HEAD falls back to GET.
   *
   * @throws URIError for malformed percent-encoding in a segment that must be compared.
   */
  find(method: string, rawPath: string): Found<T>;
}

/** Creates an empty {@link Trie}. */
export function createTrie<T>(): Trie<T> {
  const root = createNode<T>();
  const verbs = new Set<string>();
  /** Maximum length of a verb in a URL: a UTF-16 unit takes up to three escapes. */
  let longestRawVerb = 0;

  return {
    insert(method, template, value) {
      const leaf = descend(root, template.segments);
      if (template.verb !== "") verbs.add(template.verb);
      longestRawVerb = Math.max(longestRawVerb, template.verb.length * 9);
      let methods = leaf.verbs.get(template.verb);
      if (methods === undefined) {
        methods = new Map();
        leaf.verbs.set(template.verb, methods);
      }
      const existing = methods.get(method);
      if (existing !== undefined) throw new AmbiguousRouteError(method, template.source, existing.source);
      methods.set(method, { source: template.source, value });
    },

    find(method, rawPath) {
      if (!rawPath.startsWith("/")) return { kind: "none" };
      // "/" has no segments; any other trailing slash adds an empty segment, which nothing matches.
      const segments = rawPath === "/" ? [] : rawPath.slice(1).split("/");
      const plain = rawPath.includes("%") ? segments.map(decodeSegment) : segments;
      const allowed = new Set<string>();
      const last = segments.length - 1;
      const rawLast = segments[last] ?? "";

      // A verb is everything after a colon of the last segment; the longest registered one is tried first.
      if (verbs.size > 0) {
        const from = Math.max(0, rawLast.length - 1 - longestRawVerb);
        for (let colon = rawLast.indexOf(":", from); colon !== -1; colon = rawLast.indexOf(":", colon + 1)) {
          const verb = decodeSegment(rawLast.slice(colon + 1));
          if (!verbs.has(verb)) continue;
          const rawHead = rawLast.slice(0, colon);
          const head = decodeSegment(rawHead);
          const entry = search(root, [...plain.slice(0, last), head], 0, verb, method, allowed);
          if (entry !== undefined) {
            return { kind: "match", value: entry.value, segments: [...segments.slice(0, last), rawHead] };
          }
        }
      }
      const entry = search(root, plain, 0, "", method, allowed);
      if (entry !== undefined) return { kind: "match", value: entry.value, segments };
      if (allowed.size === 0) return { kind: "none" };
      if (allowed.has("GET")) allowed.add("HEAD");
      return { kind: "method", allowed: [...allowed].sort() };
    },
  };
}

function createNode<T>(): Node<T> {
  return { verbs: new Map(), literals: new Map(), star: undefined, rests: [] };
}

function descend<T>(root: Node<T>, segments: readonly Segment[]): Node<T> {
  let node = root;
  for (const [at, segment] of segments.entries()) {
    switch (segment.kind) {
      case "literal": {
        let next = node.literals.get(segment.text);
        if (next === undefined) {
          next = createNode();
          node.literals.set(segment.text, next);
        }
        node = next;
        break;
      }
      case "*":
        node = node.star ??= createNode();
        break;
      case "**":
        node = restOf(node, segments.length - at - 1);
        break;
      default:
        segment satisfies never;
    }
  }
  return node;
}

function restOf<T>({ rests }: Node<T>, length: number): Node<T> {
  const known = rests.find((rest) => rest.length === length);
  if (known !== undefined) return known.node;
  const node = createNode<T>();
  rests.push({ length, node });
  rests.sort((left, right) => right.length - left.length);
  return node;
}

/** Visits every node at most once per call, so the work is bounded by the size of the trie. */
function search<T>(
  node: Node<T>,
  segments: readonly string[],
  depth: number,
  verb: string,
  method: string,
  allowed: Set<string>,
): Entry<T> | undefined {
  const segment = segments[depth];
  if (segment === undefined) {
    const entry = select(node, verb, method, allowed);
    if (entry !== undefined) return entry;
  } else if (segment !== "") {
    const literal = node.literals.get(segment);
    const byLiteral = literal && search(literal, segments, depth + 1, verb, method, allowed);
    if (byLiteral !== undefined) return byLiteral;
    const byStar = node.star && search(node.star, segments, depth + 1, verb, method, allowed);
    if (byStar !== undefined) return byStar;
  }
  if (node.rests.length === 0) return undefined;
  const empty = segments.indexOf("", depth);
  for (const rest of node.rests) {
    // The suffix has a fixed length, so it can start at only one place.
    const from = segments.length - rest.length;
    if (from < depth || (empty !== -1 && empty < from)) continue;
    const entry = search(rest.node, segments, from, verb, method, allowed);
    if (entry !== undefined) return entry;
  }
  return undefined;
}

function select<T>({ verbs }: Node<T>, verb: string, method: string, allowed: Set<string>): Entry<T> | undefined {
  const methods = verbs.get(verb);
  if (methods === undefined) return undefined;
  const entry = methods.get(method) ?? (method === "HEAD" ? methods.get("GET") : undefined) ?? methods.get(anyMethod);
  if (entry === undefined) for (const known of methods.keys()) allowed.add(known);
  return entry;
}
