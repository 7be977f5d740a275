import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";

/** Which cross-origin pages may send requests. */
export interface CorsOptions {
  /** Exact origins, or `*` for any (then without credentials). */
  readonly origins: readonly string[] | "*";
  /** Lets browsers send cookies; only with named origins. */
  readonly credentials?: boolean;
  /** How long a browser may cache a preflight response, in seconds (default 7200). */
  readonly maxAgeSeconds?: number;
  /** Response headers exposed to pages, in addition to those of the protocols. */
  readonly exposedHeaders?: readonly string[];
}

const methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

const exposed = [
  "ETag",
  "Location",
  "RateLimit-Limit",
  "RateLimit-Remaining",
  "RateLimit-Reset",
  "Retry-After",
  "Grpc-Status",
  "Grpc-Message",
  "Grpc-Status-Details-Bin",
  "X-Request-Id",
];

/** The CORS response headers, for any response and for a preflight. */
export interface Cors {
  headersFor(request: IncomingHttpHeaders): OutgoingHttpHeaders | undefined;
  preflight(request: IncomingHttpHeaders): OutgoingHttpHeaders | undefined;
}

/** Creates {@link Cors}. All headers requested by a preflight are allowed, because metadata has its own allow-list. */
export function createCors(options: CorsOptions): Cors {
  const { origins } = options;
  const credentials = options.credentials === true && origins !== "*";
  const expose = [...exposed, ...(options.exposedHeaders ?? [])].join(", ");
  const allowed = origins === "*" ? undefined : new Set(origins);

  const headersFor = (request: IncomingHttpHeaders): OutgoingHttpHeaders | undefined => {
    const { origin } = request;
    if (origin === undefined) return undefined;
    if (allowed === undefined) {
      return { "access-control-allow-origin": "*", "access-control-expose-headers": expose };
    }
    if (!allowed.has(origin)) return { vary: "Origin" };
    return {
      "access-control-allow-origin": origin,
      "access-control-expose-headers": expose,
      vary: "Origin",
      ...(credentials ? { "access-control-allow-credentials": "true" } : {}),
    };
  };

  return {
    headersFor,
    preflight(request) {
      const base = headersFor(request);
      if (base === undefined || base["access-control-allow-origin"] === undefined) return base;
      const wanted = request["access-control-request-headers"];
      return {
        ...base,
        "access-control-allow-methods": methods,
        ...(wanted === undefined ? {} : { "access-control-allow-headers": wanted }),
        "access-control-max-age": String(options.maxAgeSeconds ?? 7200),
        vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
      };
    },
  };
}
