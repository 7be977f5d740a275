import type { JsonObject } from "@bufbuild/protobuf";

/** An operation of a document and its JSON pointer. */
export interface Operation {
  readonly operation: JsonObject;
  readonly pointer: string;
}

interface Candidate {
  readonly path: string;
  readonly pattern: RegExp;
}

const known = new WeakMap<JsonObject, Candidate[]>();

/** Finds the most literal operation that matches a raw path without its query. */
export function findOperation(document: JsonObject, method: string, path: string): Operation | undefined {
  let candidates = known.get(document);
  if (candidates === undefined) {
    candidates = compile(document["paths"] as JsonObject);
    known.set(document, candidates);
  }
  const verb = method === "HEAD" ? "get" : method.toLowerCase();
  const found = candidates.find((candidate) => {
    const item = (document["paths"] as JsonObject)[candidate.path] as JsonObject;
    return item[verb] !== undefined && candidate.pattern.test(path);
  });
  if (found === undefined) return undefined;
  const item = (document["paths"] as JsonObject)[found.path] as JsonObject;
  const pointer = `/paths/${found.path.replaceAll("~", "~0").replaceAll("/", "~1")}/${verb}`;
  return { operation: item[verb] as JsonObject, pointer };
}

/** Orders the paths as routes are matched: the most literal first, segment by segment. */
function compile(paths: JsonObject): Candidate[] {
  return Object.entries(paths)
    .map(([path, item]) => {
      const open = new Set(
        Object.values(item as JsonObject)
          .flatMap((operation) => ((operation as JsonObject)["parameters"] ?? []) as JsonObject[])
          .filter((parameter) => parameter["x-multi-segment"] === true)
          .map((parameter) => String(parameter["name"])),
      );
      const source = path
        .split(/(\{[^}]*\})/)
        .map((part) => {
          if (!part.startsWith("{")) return part.replace(/[\\^$.*+?()[\]|]/g, "\\$&");
          return open.has(part.slice(1, -1)) ? ".*" : "[^/]+";
        })
        .join("");
      const rank = path
        .split("/")
        .map((segment) => {
          const name = /\{([^}]*)\}/.exec(segment)?.[1];
          return name === undefined ? "0" : open.has(name) ? "2" : segment.endsWith("}") ? "1b" : "1a";
        })
        .join("/");
      return { path, pattern: new RegExp(`^${source}$`), rank };
    })
    .sort((left, right) => (left.rank < right.rank ? -1 : 1));
}
