import type { Route } from "./http-rules.ts";
import type { Template } from "./template-parser.ts";

/** Longer paths are not compared, because they are not plausible typing errors. */
const maxPathLength = 200;
/** Maximum edit distance of a path. */
const maxDistance = 2;
/** Cost of a missing first segment, such as `v1`. */
const prefixCost = 1;

/**
 * Suggests the method and path of the route that was probably meant by an unmatched path, if the guess is clear: a few
 * characters differ, or the version prefix is missing. Variables have the values of the given path.
 */
export function nearestRoute(
  routes: Iterable<Pick<Route, "httpMethod" | "template">>,
  method: string,
  path: string,
): string | undefined {
  if (path.length > maxPathLength || path === "/") return undefined;
  const { segments, verb } = partsOf(path);
  let best: { readonly line: string; readonly cost: number } | undefined;
  for (const { httpMethod, template } of routes) {
    for (const isShort of [false, true]) {
      const found = compare(template, segments, verb, isShort);
      // Among equal distances, the caller's method is preferred.
      const cost = found === undefined ? Infinity : found.distance + (httpMethod === method ? 0 : 0.5);
      if (found !== undefined && found.distance <= maxDistance && cost < (best?.cost ?? Infinity)) {
        best = { line: `${httpMethod} ${found.path}`, cost };
      }
    }
  }
  return best?.line;
}

function partsOf(path: string): { segments: string[]; verb: string } {
  const segments = path.replace(/^\/+|\/+$/g, "").split("/");
  const last = segments.pop() ?? "";
  const colon = last.lastIndexOf(":");
  return colon === -1
    ? { segments: [...segments, last], verb: "" }
    : { segments: [...segments, last.slice(0, colon)], verb: last.slice(colon + 1) };
}

function compare(
  template: Template,
  given: readonly string[],
  verb: string,
  isShort: boolean,
): { readonly path: string; readonly distance: number } | undefined {
  const [first] = template.segments;
  const segments = isShort ? [first?.kind === "literal" ? first.text : "", ...given] : given;
  if (segments.length !== template.segments.length || (verb === "") !== (template.verb === "")) return undefined;
  let distance = (isShort ? prefixCost : 0) + editDistance(verb, template.verb);
  const path: string[] = [];
  for (const [index, wanted] of template.segments.entries()) {
    const segment = segments[index] ?? "";
    if (wanted.kind === "**" || segment === "") return undefined;
    if (wanted.kind === "literal") distance += editDistance(segment, wanted.text);
    if (distance > maxDistance) return undefined;
    path.push(wanted.kind === "literal" ? wanted.text : segment);
  }
  return { path: `/${path.join("/")}${template.verb === "" ? "" : `:${template.verb}`}`, distance };
}

/** Levenshtein distance, cut off where it no longer matters: words of very different lengths are far apart. */
function editDistance(left: string, right: string): number {
  if (left === right) return 0;
  if (Math.abs(left.length - right.length) > maxDistance) return Infinity;
  let row = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const substitution = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  const distance = row[right.length] ?? 0;
  return distance > Math.ceil(Math.min(left.length, right.length) / 3) ? Infinity : distance;
}
