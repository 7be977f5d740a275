import { Code, type ConnectError } from "@connectrpc/connect";
import { gatewayError, invalidRequest } from "../errors.ts";
import type { Request } from "../http/body/request.ts";
import { nearestRoute } from "../routing/nearest-route.ts";
import type { Trie } from "../routing/route-trie.ts";
import type { PreparedRoute } from "./prepared-route.ts";

/** A matched route and the inputs for its request message. */
export interface Matched {
  readonly route: PreparedRoute;
  readonly segments: readonly string[];
  readonly rawQuery: string;
}

export interface Matcher {
  /**
   * Finds the route of a request.
   *
   * @param method in place of the request's own.
   * @throws ConnectError 404 if none matches its path, 405 if none matches its method, 400 for a malformed path.
   */
  match(request: Request, method?: string): Matched;
  /** Matches a WebSocket request, which starts as a GET, to the stream of a GET or POST rule at its path. */
  matchStream(request: Request): Matched;
}

export interface MatcherOptions {
  readonly routes: readonly PreparedRoute[];
  readonly router: Trie<PreparedRoute>;
  /** Where the API is described, for errors. */
  readonly docsPath: string | undefined;
}

export function createMatcher({ routes, router, docsPath }: MatcherOptions): Matcher {
  return { match, matchStream };

  function matchStream(request: Request): Matched {
    for (const method of ["GET", "POST"]) {
      try {
        const found = match(request, method);
        if (found.route.spec.kind !== "unary") return found;
      } catch {
        // The error is reported below if no other route matches.
      }
    }
    return match(request);
  }

  function match(request: Request, method = request.method ?? ""): Matched {
    const url = request.url ?? "/";
    const question = url.indexOf("?");
    const path = question === -1 ? url : url.slice(0, question);
    let found: ReturnType<typeof router.find>;
    try {
      found = router.find(method, path);
    } catch {
      throw invalidRequest([{ field: "", description: "the path is not valid percent-encoding" }], "MALFORMED_PATH");
    }
    switch (found.kind) {
      case "match":
        return {
          route: found.value,
          segments: found.segments,
          rawQuery: question === -1 ? "" : url.slice(question + 1),
        };
      case "method":
        throw methodNotAllowed(method, found.allowed);
      case "none":
        throw routeNotFound(nearestRoute(routes, method, path), docsPath);
      default:
        return found satisfies never;
    }
  }
}

function routeNotFound(nearest: string | undefined, docsPath: string | undefined): ConnectError {
  const guess = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  const docs =
    docsPath === undefined ? "" : `${nearest === undefined ? "; the" : " The"} API is described at ${docsPath}`;
  return gatewayError({
    code: Code.NotFound,
    reason: "ROUTE_NOT_FOUND",
    message: `no route matches this path${guess}${docs}`,
  });
}

function methodNotAllowed(method: string, allowed: readonly string[]): ConnectError {
  const allow = allowed.join(", ");
  return gatewayError({
    code: Code.Unimplemented,
    reason: "METHOD_NOT_ALLOWED",
    message: `the method ${method} is not allowed for this path; allowed: ${allow}`,
    httpStatus: 405,
    headers: { Allow: allow },
    metadata: { allow },
  });
}
